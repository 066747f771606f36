import { basename } from 'node:path';
import { loadOsloConfig } from '../../config/oslo-config/oslo-config.js';
import type { RabbitOptions } from '../../config/rabbit-options.js';
import { DEFAULT_TRANSPORT_URL, parseTransportUrl } from '../../config/transport-url.js';
import { ContextStore, urlOfContext } from './contexts.js';
import { SERVICE_CONVENTIONS } from './conventions.js';

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
  /** For people: where the bus and the exchange come from. */
  readonly because: string;
  readonly readOnly: boolean;
  readonly notes: readonly string[];
  /** Of a context. */
  readonly managementUrl?: string;
  /** Of a context. */
  readonly topics?: readonly string[];
  /** Those that services have whose files these are. */
  readonly conventionalTopics: readonly string[];
  /** Those of `[oslo_messaging_notifications]`, or that of oslo.messaging. */
  readonly notificationTopics: readonly string[];
  /** True when the options are those of a service's files. */
  readonly isConfigured: boolean;
}

const DEFAULT_EXCHANGE = 'openstack';
const DEFAULT_TOPICS = ['notifications'];

/**
 * The first that is given: `--transport-url`, `--config-file`, `--context`, `OSLO_TRANSPORT_URL`, `OSLO_BUS_CONTEXT`, the selected
 * context; else RabbitMQ on this host.
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
    conventionalTopics: [],
    notificationTopics: DEFAULT_TOPICS,
    isConfigured: false,
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
  const contexts = new ContextStore(env);
  if (given.context !== undefined) return ofContext(contexts, given.context, given.carries);
  if (env.OSLO_TRANSPORT_URL) return { url: env.OSLO_TRANSPORT_URL, because: 'OSLO_TRANSPORT_URL' };
  const named = env.OSLO_BUS_CONTEXT || contexts.selected();
  if (named !== undefined) return ofContext(contexts, named, given.carries);
  return { url: DEFAULT_TRANSPORT_URL, because: 'nothing else is given' };
}

function ofContext(contexts: ContextStore, name: string, carries: TransportOptions['carries']): Chosen {
  const context = contexts.read(name);
  const { configFile, exchange, managementUrl, readOnly, topics } = context;
  const files = typeof configFile === 'string' ? [configFile] : configFile;
  return {
    url: urlOfContext(context, contexts.fileOf(name)) ?? DEFAULT_TRANSPORT_URL,
    ...(files && ofFiles(files, carries)),
    because: `context '${name}'`,
    ...(exchange !== undefined && { exchange }),
    ...(managementUrl !== undefined && { managementUrl }),
    ...(topics !== undefined && { topics }),
    ...(readOnly !== undefined && { readOnly }),
  };
}

function ofFiles(files: readonly string[], carries: TransportOptions['carries']): Chosen {
  const { transportUrl, rabbit, exchange, notifications, notes, files: read } = loadOsloConfig(files);
  const ownUrl = carries === 'notifications' ? notifications.transportUrl : undefined;
  const services = read.map((file) => SERVICE_CONVENTIONS[basename(file)]).filter((one) => one !== undefined);
  const guessed = services.map((one) => one.exchange).find((one) => one !== undefined);
  const known = exchange ?? guessed;
  const told = exchange === undefined && guessed !== undefined ? [`exchange '${guessed}', by the file's name`] : [];
  return {
    url: ownUrl ?? transportUrl ?? DEFAULT_TRANSPORT_URL,
    options: rabbit,
    conventionalTopics: services.flatMap(({ topics }) => topics.map(({ topic }) => topic)),
    ...(notifications.topics && { notificationTopics: notifications.topics }),
    isConfigured: true,
    ...(known !== undefined && { exchange: known }),
    because: `--config-file ${read.join(' ')}`,
    notes: [...told, ...notes],
  };
}
