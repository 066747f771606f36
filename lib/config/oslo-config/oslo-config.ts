import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { withOrigins } from '../option-origins.js';
import { hiding, type OptionRule } from '../option-rule.js';
import { busOptionsFromUrl, overBusOptions } from '../bus-options.js';
import { kafkaOptionsFromFiles, unknownKafkaOptions } from '../oslo-kafka-options.js';
import { OLD_ADDRESS_OPTIONS, rabbitOptionsFromFiles, unknownRabbitOptions } from '../oslo-rabbit-options.js';
import type { RabbitOptions } from '../rabbit-options.js';
import { formatTransportUrl, parseTransportUrl, type TransportHost, type TransportUrl } from '../transport-url.js';
import { ConfigFiles, type FoundValue, type OptionName, readFound, readList } from './config-files.js';
import { type IniFile, parseIni } from './ini-file.js';

/**
 * The bus of an OpenStack service, by its configuration files; absent is what they do not say.
 *
 * @publicApi
 */
export interface OsloConfig {
  /** The files, in the order in which they were read; of two that say something the last one rules. */
  readonly files: readonly string[];
  /** `[DEFAULT] transport_url`, or made of `rabbit_host`, `rabbit_hosts`, … in files of the time before. */
  readonly transportUrl?: string;
  /** `[DEFAULT] control_exchange`. */
  readonly exchange?: string;
  /** Seconds. `[DEFAULT] rpc_response_timeout`. */
  readonly timeout?: number;
  /** `[DEFAULT] executor_thread_pool_size`. */
  readonly executorThreadPoolSize?: number;
  /** `[DEFAULT] rpc_ping_enabled`. */
  readonly rpcPingEnabled?: boolean;
  /** `[oslo_messaging_rabbit]`, with `[oslo_messaging_kafka]` as `kafka`, and over them the query of `transportUrl`. */
  readonly rabbit: RabbitOptions;
  /** `[oslo_messaging_notifications]`. */
  readonly notifications: OsloNotificationConfig;
  /** Options that were ignored, in words, for a log. */
  readonly notes: readonly string[];
}

/**
 * `[oslo_messaging_notifications]` of configuration files.
 *
 * @publicApi
 */
export interface OsloNotificationConfig {
  /** Drivers by name; none: no notifications, as in Python. */
  readonly driver: readonly string[];
  /** Absent: that of RPC. */
  readonly transportUrl?: string;
  readonly topics?: readonly string[];
  readonly retry?: number;
  /** The path of the file with the rules of the driver `routing`. */
  readonly routingConfig?: string;
}

/** More is no configuration file. */
const longestBytes = 16 * 1024 * 1024;
const SWITCH: OptionRule = { type: 'boolean' };
const POSITIVE: OptionRule = { type: 'integer', min: 1 };
const NOTIFICATIONS = 'oslo_messaging_notifications';
/** All that `loadOsloConfig` has returned, with what is needed where another URL rules than `transportUrl`. */
const loaded = new WeakMap<object, { groups: RabbitOptions; urls: readonly FoundValue[] }>();
const knownNotificationOptions = new Set(['driver', 'transport_url', 'topics', 'retry', 'routing_config']);

/**
 * Reads configuration files as oslo.config does: one file, several (the last rules), or a directory, whose `*.conf` are
 * read in the order of their names. Sections of others are not looked at.
 *
 * Modules, servers and clients take the same as their option `configFile`.
 *
 * @example
 * ```ts
 * const { transportUrl, rabbit, exchange } = loadOsloConfig(['/etc/nova/nova.conf', '/etc/nova/nova.conf.d']);
 * const broker = await connectBroker(transportUrl ?? 'rabbit://', rabbit);
 * ```
 *
 * @throws ConfigurationError a file cannot be read or understood, or a value is not what its option takes; it names the file,
 *   the section and the option
 * @publicApi
 */
export function loadOsloConfig(source: string | readonly string[]): OsloConfig {
  const paths = (typeof source === 'string' ? [source] : source).flatMap(filesAt);
  const files = new ConfigFiles(paths.map(readFile));
  const age = ageOf(files);
  const url = found(files, ['DEFAULT', 'transport_url']);
  const transportUrl = url ? url.text.trim() : oldTransportUrl(files, age);
  const poolSize = found(files, ['DEFAULT', 'executor_thread_pool_size'], ['DEFAULT', 'rpc_thread_pool_size']);
  const groups = overBusOptions(rabbitOptionsFromFiles(files), kafkaGroupOf(files));
  const notificationUrl = found(files, own('transport_url'), ['DEFAULT', 'notification_transport_url']);
  const config = hiding<OsloConfig>(['transportUrl', 'notifications'], {
    files: paths,
    transportUrl,
    exchange: found(files, ['DEFAULT', 'control_exchange'])?.text,
    timeout: read(POSITIVE, found(files, ['DEFAULT', 'rpc_response_timeout'])),
    executorThreadPoolSize: read(POSITIVE, poolSize),
    rpcPingEnabled: read(SWITCH, found(files, ['DEFAULT', 'rpc_ping_enabled'])),
    rabbit: overBusOptions(groups, url ? optionsInUrl(url) : {}),
    notifications: notificationsOf(files, notificationUrl),
    notes: notesOf(files, age),
  });
  loaded.set(config, { groups, urls: [url, notificationUrl].filter((one) => one !== undefined) });
  return config;
}

/** True for what `loadOsloConfig` has returned, and no copy: that would lack what is hidden. */
export function isOsloConfig(value: object): value is OsloConfig {
  return loaded.has(value);
}

/**
 * The options of the bus with this URL: of the groups in the files, and over them of the URL.
 *
 * @throws InvalidTransportUrl, ConfigurationError
 */
export function busOptionsOf(config: OsloConfig | undefined, url: string): RabbitOptions {
  const known = config && loaded.get(config);
  const found = known?.urls.find(({ text }) => text.trim() === url);
  const inUrl = busOptionsFromUrl(parseTransportUrl(url), found && placeOf(found));
  return known ? overBusOptions(known.groups, inUrl) : inUrl;
}

function placeOf({ name, where }: FoundValue): string {
  return `${name} ${where}`;
}

/** @throws ConfigurationError naming the file */
function urlOf(url: FoundValue): TransportUrl {
  try {
    return parseTransportUrl(url.text.trim());
  } catch (error) {
    const reason = (error as Error).message;
    throw new ConfigurationError(`Option ${placeOf(url)}: ${reason}`, undefined, { cause: error });
  }
}

/** @throws ConfigurationError naming the file */
function optionsInUrl(url: FoundValue): RabbitOptions {
  return busOptionsFromUrl(urlOf(url), placeOf(url));
}

function kafkaGroupOf(files: ConfigFiles): RabbitOptions {
  const kafka = kafkaOptionsFromFiles(files);
  return Object.keys(kafka).length > 0 ? { kafka } : {};
}

function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith('.conf') && !name.startsWith('.'));
    return names.toSorted().map((name) => join(path, name));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readFile(path: string): IniFile {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > longestBytes) throw new Error(`it has ${size} bytes, and may have ${longestBytes}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
  return parseIni(path, text);
}

function unreadable(path: string, error: unknown): ConfigurationError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ConfigurationError(`The configuration file ${path} cannot be read: ${reason}`, path, { cause: error });
}

/** An empty value is none. */
function found(files: ConfigFiles, ...names: readonly OptionName[]): FoundValue | undefined {
  const value = files.find(...names);
  return value && value.text.trim() !== '' ? value : undefined;
}

function read<Value>(rule: OptionRule, value: FoundValue | undefined): Value | undefined {
  return value && (readFound(value, rule) as Value);
}

// ---- notifications ------------------------------------------------------------------------------

function own(name: string): OptionName {
  return [NOTIFICATIONS, name];
}

function notificationsOf(files: ConfigFiles, url: FoundValue | undefined): OsloNotificationConfig {
  if (url) optionsInUrl(url);
  const topics = found(files, own('topics'), ['rpc_notifier2', 'topics'], ['DEFAULT', 'notification_topics']);
  const drivers = files.findAll(own('driver'));
  const older = drivers.length > 0 ? drivers : files.findAll(['DEFAULT', 'notification_driver']);
  const routing = found(files, own('routing_config'));
  const options = {
    driver: [...new Set(older.map(({ text }) => driverName(text.trim())).filter((name) => name !== ''))],
    transportUrl: url?.text.trim(),
    topics: topics && readList(topics),
    retry: read<number>({ type: 'integer', min: -1 }, found(files, own('retry'))),
    routingConfig: routing?.text,
  };
  const places = [...new Set(older.map(({ where }) => where))].join(', ');
  const origins: readonly [keyof OsloNotificationConfig, FoundValue | undefined][] = [
    ['driver', older[0] && { ...older[0], where: places }],
    ['topics', topics],
    ['routingConfig', routing],
  ];
  return withOrigins<OsloNotificationConfig>(
    options,
    origins.filter((one): one is [keyof OsloNotificationConfig, FoundValue] => one[1] !== undefined),
  );
}

/** Files of the time of oslo-incubator name classes and modules. */
function driverName(text: string): string {
  const module = /\.(rpc_notifier2?|log_notifier|no_op_notifier|test_notifier)$/.exec(text)?.[1];
  const byModule = {
    log_notifier: 'log',
    no_op_notifier: 'noop',
    rpc_notifier: 'messaging',
    rpc_notifier2: 'messagingv2',
    test_notifier: 'test',
  };
  if (module !== undefined) return byModule[module as keyof typeof byModule];
  const byClass = /\._impl_\w+:(\w+)Driver$/.exec(text)?.[1]?.toLowerCase();
  return byClass ?? text;
}

// ---- files of the time before transport URLs ----------------------------------------------------

/** `old`: it names its driver, and perhaps its broker piece by piece. */
type Age = 'of today' | 'old';

const rabbitBackends = /^(rabbit|kombu)$|\.impl_kombu$/;

function ageOf(files: ConfigFiles): Age {
  const backend = found(files, ['DEFAULT', 'rpc_backend']);
  const pieces = OLD_ADDRESS_OPTIONS.some((name) => oldOption(files, name));
  if (!backend) return pieces ? 'old' : 'of today';
  if (rabbitBackends.test(backend.text.trim())) return 'old';
  const { name, text, where } = backend;
  throw new ConfigurationError(`Option ${name} ${where} must be rabbit, not '${text}'`, text);
}

function oldOption(files: ConfigFiles, name: (typeof OLD_ADDRESS_OPTIONS)[number]): FoundValue | undefined {
  return found(files, ['oslo_messaging_rabbit', name], ['DEFAULT', name]);
}

function oldTransportUrl(files: ConfigFiles, age: Age): string | undefined {
  if (age === 'of today') return undefined;
  const username = oldOption(files, 'rabbit_userid')?.text ?? 'guest';
  const password = oldOption(files, 'rabbit_password')?.text ?? 'guest';
  const virtualHost = oldOption(files, 'rabbit_virtual_host')?.text ?? '/';
  const port = read<number>({ type: 'integer', min: 1, max: 65_535 }, oldOption(files, 'rabbit_port')) ?? 5672;
  const host = oldOption(files, 'rabbit_host')?.text.trim() ?? 'localhost';
  const several = oldOption(files, 'rabbit_hosts');
  const hosts = (several ? readList(several) : [host]).map((address): TransportHost => {
    const parts = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(address);
    return { hostname: parts?.[1] ?? address, port: Number(parts?.[2] ?? port), username, password };
  });
  return formatTransportUrl({ transport: 'rabbit', hosts, virtualHost, query: {} });
}

// ---- what is ignored ----------------------------------------------------------------------------

/** Of old files, which other drivers had, or no driver has any more. */
const goneOptions = new Set(['bind_host', 'bind_port', 'fake_rabbit', 'rabbit_max_retries', 'rpc_cast_timeout']);

function notesOf(files: ConfigFiles, age: Age): string[] {
  const unknown = files.namesIn(NOTIFICATIONS).filter(({ name }) => !knownNotificationOptions.has(name));
  const notes = [
    ...unknownRabbitOptions(files).map(({ name, path }) => `[oslo_messaging_rabbit] ${name} of ${path}`),
    ...unknownKafkaOptions(files).map(({ name, path }) => `[oslo_messaging_kafka] ${name} of ${path}`),
    ...unknown.map(({ name, path }) => `[${NOTIFICATIONS}] ${name} of ${path}`),
  ];
  if (age === 'old') {
    const gone = files.namesIn('DEFAULT').filter(({ name }) => goneOptions.has(name) || name.startsWith('rpc_zmq_'));
    notes.push(...gone.map(({ name, path }) => `[DEFAULT] ${name} of ${path}`));
  }
  return notes.map((what) => `Ignored, as nothing here is called so: ${what}`);
}
