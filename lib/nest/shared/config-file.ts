import { Logger } from '@nestjs/common';
import { overBusOptions } from '../../config/bus-options.js';
import { busOptionsOf, isOsloConfig, loadOsloConfig, type OsloConfig } from '../../config/oslo-config/oslo-config.js';
import {
  RABBIT_OPTION_RULES,
  type RabbitOptions,
  rabbitOptionsOf,
  resolveRabbitOptions,
} from '../../config/rabbit-options.js';
import { DEFAULT_TRANSPORT_URL } from '../../config/transport-url.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';

/**
 * Configuration files of an OpenStack service, for what the other options do not say: a path, several, a directory, or what
 * `loadOsloConfig` has read. What is said in code rules over the URL's query, that over the files.
 *
 * @publicApi
 */
export type OsloConfigFile = string | readonly string[] | OsloConfig;

/** A bus, by options. */
export interface BusOptions extends RabbitOptions {
  transportUrl?: string;
  configFile?: OsloConfigFile;
}

const logger = new Logger('OsloConfig');
/** Each is worth one line, however many clients read the file. */
const noted = new Set<string>();

/** @throws ConfigurationError */
export function readConfigFile(configFile: OsloConfigFile | undefined): OsloConfig | undefined {
  if (configFile === undefined) return undefined;
  const config = isLoaded(configFile) ? configFile : loadedFrom(configFile);
  for (const note of config.notes) noteOnce(note);
  return config;
}

/** Says it once in the life of the process. */
export function noteOnce(note: string): void {
  if (noted.has(note)) return;
  noted.add(note);
  logger.log(note);
}

function isOfBus(name: string): boolean {
  return name === 'transportUrl' || Object.hasOwn(RABBIT_OPTION_RULES, name);
}

/**
 * A variable of the environment that is not set must not become `guest` at this host.
 *
 * @throws ConfigurationError a key that names the bus is there, and undefined
 */
export function refuseUnsetBus(what: string, options: BusOptions | undefined): void {
  const { configFile, transportUrl } = options ?? {};
  if (isUnset(options, 'transportUrl', transportUrl)) throw unset(what, 'transportUrl');
  if (transportUrl === undefined && isUnset(options, 'configFile', configFile)) throw unset(what, 'configFile');
}

function isUnset(options: BusOptions | undefined, name: keyof BusOptions, value: unknown): boolean {
  return typeof options === 'object' && options !== null && value === undefined && Object.hasOwn(options, name);
}

function unset(what: string, name: string): ConfigurationError {
  const message =
    `${what}: option ${name} is there, and undefined. Is a variable of the environment not set? ` +
    `Set it, or leave ${name} out: then the bus is that of forRoot, if there is one, else guest at 127.0.0.1`;
  return new ConfigurationError(message, name);
}

/**
 * The options of a part over those of the whole: a configuration file of its own is another bus.
 *
 * @throws ConfigurationError
 */
export function overRoot<Options extends BusOptions>(root: Options, own: Options, what: string): Options {
  refuseUnsetBus(what, own);
  const set = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) as Options;
  if (set.configFile === undefined || set.transportUrl !== undefined) return overBusOptions(root, set);
  const others = Object.fromEntries(Object.entries(root).filter(([name]) => !isOfBus(name))) as Options;
  return { ...others, ...set };
}

/** True when somebody has said which bus it is. */
export function namesBus({ transportUrl }: BusOptions, config: OsloConfig | undefined): boolean {
  return (transportUrl ?? config?.transportUrl) !== undefined;
}

/** The default is for a broker beside one's editor; elsewhere it is a mistake that connects to nothing, or to a stranger. */
export function warnOfDefaultBus(module: 'NotificationModule' | 'OsloRpcModule', name: string | symbol): void {
  new Logger(module).warn(
    `${module}.forFeature: ${String(name)} has no transportUrl, and ${module}.forRoot names none, so it connects to ` +
      `guest at 127.0.0.1:5672. Name the bus, once for all: ${module}.forRoot({ transportUrl: 'rabbit://user:password@host:5672/' })`,
  );
}

/**
 * Which bus, and how to connect to it. `config`: what the files say; `fallback`: used where nothing names a URL.
 *
 * @throws InvalidTransportUrl, ConfigurationError also for options that exclude each other: nobody may connect for long
 */
export function busOf(
  options: BusOptions,
  config: OsloConfig | undefined,
  fallback = DEFAULT_TRANSPORT_URL,
): { transportUrl: string; broker: RabbitOptions } {
  const transportUrl = options.transportUrl ?? config?.transportUrl ?? fallback;
  const below = busOptionsOf(config, transportUrl);
  const broker = overBusOptions(below, rabbitOptionsOf(options));
  resolveRabbitOptions(broker);
  return { transportUrl, broker };
}

function isLoaded(configFile: OsloConfigFile | null): configFile is OsloConfig {
  return typeof configFile === 'object' && configFile !== null && isOsloConfig(configFile);
}

function loadedFrom(configFile: string | readonly string[]): OsloConfig {
  const paths: readonly unknown[] = Array.isArray(configFile) ? configFile : [configFile];
  const arePaths = paths.every((path) => typeof path === 'string' && path !== '');
  if (!arePaths)
    throw new ConfigurationError(
      'Option configFile must be a path, a list of paths, or what loadOsloConfig returned',
      configFile,
    );
  return loadOsloConfig(paths as readonly string[]);
}
