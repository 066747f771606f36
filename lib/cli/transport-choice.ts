import { basename } from 'node:path';
import { loadOsloConfig } from '../config/oslo-config/oslo-config.js';
import type { RabbitOptions } from '../config/rabbit-options.js';
import { DEFAULT_TRANSPORT_URL, parseTransportUrl } from '../config/transport-url.js';
import { readContext } from './contexts.js';

/** The options that say which bus is meant. */
export interface TransportOptions {
  readonly transportUrl?: string;
  readonly configFile?: readonly string[];
  readonly context?: string;
  readonly exchange?: string;
  readonly readOnly?: boolean;
  /** Files may name another bus for notifications. @defaultValue 'rpc' */
  readonly carries?: 'notifications' | 'rpc';
}

/** The bus that a command speaks to, and why it is that one. */
export interface TransportChoice {
  readonly url: string;
  /** Passwords masked. */
  readonly shownUrl: string;
  readonly options: RabbitOptions;
  readonly exchange: string;
  /** Those of `[oslo_messaging_notifications]`, or that of oslo.messaging. */
  readonly notificationTopics: readonly string[];
  /** For people: where the bus and the exchange come from. */
  readonly because: string;
  readonly readOnly: boolean;
  readonly notes: readonly string[];
}

/** Services set their control exchange in code, and not in their files. */
const EXCHANGE_OF_FILE: Readonly<Record<string, string>> = {
  'nova.conf': 'nova',
  'heat.conf': 'heat',
  'ironic.conf': 'ironic',
  'ceilometer.conf': 'ceilometer',
};
const DEFAULT_EXCHANGE = 'openstack';
const DEFAULT_TOPICS = ['notifications'];

/**
 * The first that is given: `--transport-url`, `--config-file`, `--context`, `OSLO_TRANSPORT_URL`, `OSLO_BUS_CONTEXT`; else
 * RabbitMQ on this host.
 *
 * @throws ConfigurationError, InvalidTransportUrl
 */
export function chooseTransport(
  given: TransportOptions,
  env: Readonly<Record<string, string | undefined>>,
): TransportChoice {
  const { exchange, readOnly = false } = given;
  const choice = chosen(given, env);
  const shownUrl = parseTransportUrl(choice.url).masked;
  return {
    options: {},
    notificationTopics: DEFAULT_TOPICS,
    notes: [],
    ...choice,
    shownUrl,
    exchange: exchange ?? choice.exchange ?? DEFAULT_EXCHANGE,
    readOnly: readOnly || choice.readOnly === true,
  };
}

type Chosen = Pick<TransportChoice, 'because' | 'url'> & Partial<TransportChoice>;

function chosen(given: TransportOptions, env: Readonly<Record<string, string | undefined>>): Chosen {
  if (given.transportUrl !== undefined) return { url: given.transportUrl, because: '--transport-url' };
  if (given.configFile?.length) return ofFiles(given.configFile, given.carries);
  if (given.context !== undefined) return ofContext(given.context, given, env);
  if (env.OSLO_TRANSPORT_URL) return { url: env.OSLO_TRANSPORT_URL, because: 'OSLO_TRANSPORT_URL' };
  if (env.OSLO_BUS_CONTEXT) return ofContext(env.OSLO_BUS_CONTEXT, given, env);
  return { url: DEFAULT_TRANSPORT_URL, because: 'nothing else is given' };
}

function ofContext(name: string, { carries }: TransportOptions, env: Parameters<typeof readContext>[1]): Chosen {
  const { configFile, exchange, readOnly, transportUrl } = readContext(name, env);
  const files = typeof configFile === 'string' ? [configFile] : configFile;
  const chosenBus = transportUrl === undefined && files ? ofFiles(files, carries) : undefined;
  return {
    url: transportUrl ?? DEFAULT_TRANSPORT_URL,
    ...chosenBus,
    because: `context '${name}'`,
    ...(exchange !== undefined && { exchange }),
    ...(readOnly !== undefined && { readOnly }),
  };
}

function ofFiles(files: readonly string[], carries: TransportOptions['carries']): Chosen {
  const { transportUrl, rabbit, exchange, notifications, notes, files: read } = loadOsloConfig(files);
  const ownUrl = carries === 'notifications' ? notifications.transportUrl : undefined;
  const guessed = read.map((file) => EXCHANGE_OF_FILE[basename(file)]).find((one) => one !== undefined);
  const known = exchange ?? guessed;
  const told = exchange === undefined && guessed !== undefined ? [`exchange '${guessed}', by the file's name`] : [];
  return {
    url: ownUrl ?? transportUrl ?? DEFAULT_TRANSPORT_URL,
    options: rabbit,
    ...(notifications.topics && { notificationTopics: notifications.topics }),
    ...(known !== undefined && { exchange: known }),
    because: `--config-file ${read.join(' ')}`,
    notes: [...told, ...notes],
  };
}
