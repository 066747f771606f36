import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { connect, type ChannelModel, type Options, type SocketOptions, credentials } from 'amqplib';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { TransportHost } from '../../config/transport-url.js';
import { shown } from '../../wire/shown.js';
import { BrokerRefusal, type Link, type LinkProvider, type LinkRequest, ReplyCode } from '../link.js';
import { type TlsOptionNames, tlsFault } from '../tls-errors.js';
import { compressionOf, type Dialect } from './dialect.js';
import { HandshakeReader } from './handshake-reader.js';
import { Instrumentation } from './instrumentation.js';
import { inOneLine } from './rabbit-channel.js';
import { RabbitLink } from './rabbit-link.js';
import { TlsSettings } from './tls-settings.js';

const channelMax = 2_047;
const frameMax = 131_072;
const shortestConnectTimeoutMs = 1_000;
/** RabbitMQ itself ends a handshake after 10 s unless told otherwise. */
const longestConnectTimeoutMs = 15_000;

const TLS_OPTIONS: TlsOptionNames = {
  authority: 'sslCaFile',
  certificate: 'sslCertFile',
  key: 'sslKeyFile',
  serverName: 'sslServerName',
  version: 'sslVersion',
  ciphers: 'sslCiphers',
  noTls: 'name the one that does, 5671 as a rule',
};

/** amqplib does not show its socket before the end of the handshake. */
function watchingSockets<T>(begin: () => T, told: (socket: Socket) => void): T {
  const watch = (message: unknown): void => told((message as { socket: Socket }).socket);
  subscribe('net.client.socket', watch);
  try {
    return begin();
  } finally {
    unsubscribe('net.client.socket', watch);
  }
}

/** The same for TLS, whose sockets Node.js tells nobody of: amqplib asks the module `tls` for one, at once. */
function watchingTlsSockets<T>(begin: () => T, told: (socket: TLSSocket) => void): T {
  const { connect: connectTls } = tls;
  tls.connect = ((...args: Parameters<typeof connectTls>) => {
    const socket = connectTls(...args);
    told(socket);
    return socket;
  }) as typeof connectTls;
  try {
    return begin();
  } finally {
    tls.connect = connectTls;
  }
}

/** Opens AMQP connections as this library wants them. */
export class RabbitLinks implements LinkProvider {
  readonly mayFallSilent = true;
  /** How often each host has been reached and has not greeted us in time, since it last did. */
  readonly #tooSlow = new Map<TransportHost, number>();
  private readonly instrumentation = new Instrumentation();
  private readonly tls: TlsSettings | undefined;
  private readonly dialect: Dialect;

  /** @throws ConfigurationError certificates that cannot be used */
  constructor(
    readonly virtualHost: string,
    private readonly options: ResolvedRabbitOptions,
  ) {
    this.tls = options.ssl ? new TlsSettings(options) : undefined;
    this.dialect = {
      compression: compressionOf(options.kombuCompression),
      cancelOnFailover: options.enableCancelOnFailover,
    };
  }

  get looksAtContext(): boolean {
    return this.instrumentation.mayLook;
  }

  labelOf({ hostname, port }: TransportHost): string {
    return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }

  async open(host: TransportHost, request: LinkRequest): Promise<Link> {
    const timeoutMs = this.timeoutMs(host);
    const tooLate = new AbortController();
    const signal = AbortSignal.any([request.signal, tooLate.signal]);
    let socket: Socket | undefined;
    let reader: HandshakeReader | undefined;
    const timer = setTimeout(() => {
      if (socket?.connecting === false) this.#tooSlow.set(host, (this.#tooSlow.get(host) ?? 0) + 1);
      tooLate.abort(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const watch = (made: Socket): void => {
      socket = made;
      reader = new HandshakeReader(made, request.onGreeting);
    };
    try {
      const options = this.socketOptions(host, request.connectionName, signal);
      const connecting = (): Promise<ChannelModel> => connect(this.destination(host), options);
      const connected = this.tls ? watchingTlsSockets(connecting, watch) : watchingSockets(connecting, watch);
      const link = new RabbitLink(await Promise.race([connected, aborted]), this.dialect, this.instrumentation);
      setImmediate(() => reader?.release());
      this.#tooSlow.delete(host);
      return link;
    } catch (error) {
      throw this.explained(this.tls ? withTlsFault(error, host.hostname) : error, host, reader);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A host that is only mute must not hold up the next one; a broker that is only slow gets more time with each attempt.
   * One that cannot be reached does not: a new attempt asks for the way sooner than the kernel would.
   */
  private timeoutMs(host: TransportHost): number {
    const { livenessTimeoutMs } = this.options;
    const grown = Math.min(livenessTimeoutMs * (1 + (this.#tooSlow.get(host) ?? 0)), longestConnectTimeoutMs);
    return Math.max(grown, livenessTimeoutMs, shortestConnectTimeoutMs);
  }

  /** amqplib's words for a handshake that was broken off lack the broker's words, or wraps them. */
  private explained(error: unknown, host: TransportHost, reader: HandshakeReader | undefined): unknown {
    if (reader?.metTls)
      return new Error('this port speaks TLS: set ssl, or begin the URL with rabbit+ssl://', { cause: error });
    if (error instanceof Error && error.message.includes('is not provided by the server')) {
      return new Error(noSuchLogin(this.options), { cause: error });
    }
    const close = reader?.closedWith;
    if (!close) return error;
    const words = inOneLine(close.text);
    if (close.code === ReplyCode.accessRefused) {
      const text = `${words}${whoWas(this.options.rabbitLoginMethod, host)}`;
      return new BrokerRefusal(close.code, text, { cause: error });
    }
    if (close.code !== ReplyCode.notAllowed) return new Error(words, { cause: error });
    return new BrokerRefusal(close.code, `virtual host '${this.virtualHost}' is refused: ${words}`, { cause: error });
  }

  private destination(host: TransportHost): Options.Connect {
    return {
      protocol: this.tls ? 'amqps' : 'amqp',
      hostname: host.hostname,
      port: host.port,
      // amqplib decodes it once more.
      vhost: encodeURIComponent(this.virtualHost),
      channelMax,
      frameMax,
      heartbeat: Math.round(this.options.heartbeatTimeoutThreshold),
    };
  }

  private socketOptions(host: TransportHost, connectionName: string, signal: AbortSignal): SocketOptions {
    const options: SocketOptions & { signal: AbortSignal } = {
      ...this.tls?.read(host.hostname),
      noDelay: true,
      keepAlive: true,
      signal,
      credentials: saslResponse(this.options.rabbitLoginMethod, host),
      clientProperties: {
        product: 'nestjs-oslo-messaging',
        // amqplib would tell its own.
        version: undefined,
        information: undefined,
        connection_name: connectionName,
      },
    };
    return options;
  }
}

function withTlsFault(error: unknown, hostname: string): unknown {
  const reason = error instanceof Error ? tlsFault(error, TLS_OPTIONS, hostname) : undefined;
  return reason === undefined ? error : new Error(reason, { cause: error });
}

interface SaslResponse {
  mechanism: string;
  response(): Buffer;
}

/** The broker offers others: amqplib gives up before it says who we are. */
function noSuchLogin({ rabbitLoginMethod: method, ssl }: ResolvedRabbitOptions): string {
  const text = `the broker offers no login by ${method} here: set rabbitLoginMethod (rabbit_login_method) to another one`;
  return method === 'EXTERNAL' && !ssl ? `${text}, or ssl with sslCertFile and sslKeyFile` : text;
}

/** The broker's words name nobody. A certificate says by itself who we are. */
function whoWas(method: ResolvedRabbitOptions['rabbitLoginMethod'], host: TransportHost): string {
  if (method === 'EXTERNAL') return '';
  const { username } = identityOf(host);
  const text = ` The user is '${shown(username)}': check its password`;
  return username === 'guest' ? `${text}. RabbitMQ lets guest in from its own host only` : text;
}

/** Kombu's `guest` where a host names nobody. */
function identityOf({ username, password }: TransportHost): { username: string; password: string } {
  if (username === undefined && password === undefined) return { username: 'guest', password: 'guest' };
  return { username: username ?? '', password: password ?? '' };
}

/** Answers the broker's question who we are. */
function saslResponse(method: ResolvedRabbitOptions['rabbitLoginMethod'], host: TransportHost): SaslResponse {
  if (method === 'EXTERNAL') return credentials.external();
  const { username, password } = identityOf(host);
  return method === 'PLAIN' ? credentials.plain(username, password) : credentials.amqplain(username, password);
}
