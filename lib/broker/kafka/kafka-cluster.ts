import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import zlib from 'node:zlib';
import type { BaseOptions, Connection } from '@platformatic/kafka';
import type { ResolvedKafkaOptions } from '../../config/kafka-options.js';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { labelOf } from '../../config/option-origins.js';
import type { TransportHost, TransportUrl } from '../../config/transport-url.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { textOf } from '../../errors/text-of.js';
import { shown } from '../../wire/shown.js';
import { reasonOf } from './kafka-errors.js';

/** The client library, an optional peer. */
export type KafkaClient = typeof import('@platformatic/kafka');

const PEER = '@platformatic/kafka';

const loginRefused = /authentication failed|invalid credentials/i;
const connectionClosed = /^Connection closed$/;

/** Marks our connections among those of an application that uses the client itself. */
const OURS = Symbol('nestjs-oslo-messaging');

/**
 * The client listens to the first error of a connection, and tells it to all who wait. A connection that breaks while it
 * logs in has a second one, which would end the process.
 */
function hearLaterErrors(message: unknown): void {
  const { type, instance } = message as { type: string; instance: Connection };
  if (type === 'connection' && instance.context === OURS) instance.on('error', () => undefined);
}

/** Loaded when a `kafka://` URL is used. @throws ConfigurationError it is not installed */
export async function loadKafkaClient(): Promise<KafkaClient> {
  // Once, however often it is loaded.
  unsubscribe('plt:kafka:instances', hearLaterErrors);
  subscribe('plt:kafka:instances', hearLaterErrors);
  try {
    return await import('@platformatic/kafka');
  } catch (error) {
    const { code } = error as { code?: unknown };
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    const what = isMissing ? 'is not installed' : `cannot be loaded: ${textOf(error)}`;
    const text = `kafka:// needs the package ${PEER}, which ${what}; it is an optional peer: npm install ${PEER}@^1`;
    throw new ConfigurationError(text, PEER, { cause: error });
  }
}

/** The brokers of a URL, and how to talk to them. */
export class KafkaCluster {
  /** For people: without credentials. */
  readonly label: string;
  // Not even `inspect` shows a password.
  readonly #hosts: readonly TransportHost[];
  readonly #options: ResolvedRabbitOptions;
  private readonly suffix: string;
  #loading: Promise<KafkaClient> | undefined;

  /** @throws ConfigurationError options that cannot be used together, or here */
  constructor(
    { hosts, virtualHost }: Pick<TransportUrl, 'hosts' | 'virtualHost'>,
    options: ResolvedRabbitOptions,
    private readonly load: () => Promise<KafkaClient> = loadKafkaClient,
  ) {
    this.#hosts = hosts;
    this.#options = options;
    this.label = hosts.map(addressOf).join(',');
    this.suffix = virtualHost === '/' ? '' : `.${virtualHost}`;
    const { compressionCodec } = options.kafka;
    if (compressionCodec === 'zstd' && !('zstdCompressSync' in zlib)) {
      const label = labelOf(options.kafka, 'compressionCodec');
      throw new ConfigurationError(`Option ${label}: zstd needs Node.js 22.15 or later`, compressionCodec);
    }
    this.security();
  }

  get kafka(): ResolvedKafkaOptions {
    return this.#options.kafka;
  }

  get livenessTimeoutMs(): number {
    return this.#options.livenessTimeoutMs;
  }

  /** Why it could not be used. Kafka says neither who was refused nor that it would have liked TLS. */
  explained(error: unknown): string {
    const reason = reasonOf(error);
    const user = this.logsIn ? this.login?.username : undefined;
    if (user !== undefined && loginRefused.test(reason))
      return `${reason}. The user is '${shown(user)}': check its password`;
    if (!this.isTls && connectionClosed.test(reason))
      return `${reason}: if this port speaks TLS, set securityProtocol to SSL or SASL_SSL`;
    return reason;
  }

  private get isTls(): boolean {
    return this.kafka.securityProtocol.endsWith('SSL');
  }

  private get logsIn(): boolean {
    return this.kafka.securityProtocol.startsWith('SASL');
  }

  /** @throws ConfigurationError */
  client(): Promise<KafkaClient> {
    return (this.#loading ??= this.load());
  }

  /** As Python's producer names it; its consumer leaves the virtual host out, and misses what is sent (impl_kafka, `listen_for_notifications`). */
  topicOf(routingKey: string): string {
    return `${routingKey}${this.suffix}`;
  }

  /** Trying again is our own affair; files are read again for each client. @throws ConfigurationError */
  clientOptions(): BaseOptions {
    const { connectionName, livenessTimeoutMs } = this.#options;
    return {
      context: OURS,
      clientId: connectionName.replaceAll(/\s+/g, '-'),
      bootstrapBrokers: this.#hosts.map(({ hostname: host, port }) => ({ host, port })),
      retries: 0,
      autocreateTopics: true,
      connectTimeout: livenessTimeoutMs,
      timeout: livenessTimeoutMs,
      requestTimeout: 2 * livenessTimeoutMs,
      ...this.security(),
    };
  }

  /** As in Python: the first that names a user. */
  private get login(): TransportHost | undefined {
    return this.#hosts.find(({ username }) => username !== undefined);
  }

  private security(): Pick<BaseOptions, 'sasl' | 'tls' | 'tlsServerName'> {
    const { securityProtocol, saslMechanism: mechanism } = this.kafka;
    // An address is no name to be asked for.
    const hasNames = this.#hosts.every(({ hostname }) => isIP(hostname) === 0);
    const tls = this.isTls ? { tls: tlsOf(this.kafka), tlsServerName: hasNames } : {};
    if (!this.logsIn) return tls;
    const { login } = this;
    const password = login?.password;
    if (!login || password === undefined) {
      const text = `Option ${labelOf(this.kafka, 'securityProtocol')}: ${securityProtocol} needs a user and a password in the URL`;
      throw new ConfigurationError(text, securityProtocol);
    }
    // The client keeps its options where `inspect` sees them: neither a password nor a key is to be one of them.
    return { ...tls, sasl: { mechanism, username: login.username, password: () => password } };
  }
}

function addressOf({ hostname, port }: TransportHost): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function tlsOf(options: ResolvedKafkaOptions): ConnectionOptions {
  const read = (option: 'sslCafile' | 'sslClientCertFile' | 'sslClientKeyFile'): string | undefined => {
    const file = options[option];
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      const label = labelOf(options, option);
      throw new ConfigurationError(`Option ${label} must be a file that can be read: ${textOf(error)}`, file, {
        cause: error,
      });
    }
  };
  const passphrase = options.sslClientKeyPassword;
  const settings = {
    ca: read('sslCafile'),
    cert: read('sslClientCertFile'),
    key: read('sslClientKeyFile'),
    ...(passphrase !== undefined && { passphrase }),
  };
  try {
    return { secureContext: createSecureContext(settings) };
  } catch (error) {
    const reason = (error as Error).message;
    const names = (['sslCafile', 'sslClientCertFile', 'sslClientKeyFile'] as const).filter((name) => options[name]);
    const labels = names.map((name) => `${labelOf(options, name)} ('${options[name]}')`).join(', ');
    throw new ConfigurationError(`Options ${labels}: no certificates and key that fit: ${reason}`, undefined, {
      cause: error,
    });
  }
}
