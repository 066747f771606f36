import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { connect, type ChannelModel, type Options, type SocketOptions } from 'amqplib';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { type HandshakeClose, HandshakeReader } from './handshake-reader.js';
import { ReplyCode, replyText } from './amqp-reply.js';
import { type BrokerHost } from './host-rotation.js';
import { saslResponse } from './sasl.js';

const channelMax = 2_047;
const frameMax = 131_072;
const shortestConnectTimeoutMs = 1_000;
/** RabbitMQ itself ends a handshake after 10 s unless told otherwise. */
const longestConnectTimeoutMs = 15_000;

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

/** A broker that was reached does not want us: a wrong password, or a virtual host that is not open to us. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused';
}

/** Opens AMQP connections as this library wants them. */
export class ConnectionOpener {
  /** How often each host has been reached and has not greeted us in time, since it last did. */
  readonly #tooSlow = new Map<BrokerHost, number>();

  constructor(
    private readonly virtualHost: string,
    private readonly connectionName: string,
    private readonly options: ResolvedRabbitOptions,
  ) {}

  /**
   * One attempt, handshake included. Aborting `abort` ends it at any moment, and the socket afterwards too. Whoever awaits
   * it has to listen to the connection in the same turn.
   *
   * @throws ConnectionRefused the broker does not want us
   */
  async open(host: BrokerHost, abort: AbortController, onGreeting = (): void => undefined): Promise<ChannelModel> {
    const timeoutMs = this.timeoutMs(host);
    let socket: Socket | undefined;
    let reader: HandshakeReader | undefined;
    const timer = setTimeout(() => {
      if (socket?.connecting === false) this.#tooSlow.set(host, (this.#tooSlow.get(host) ?? 0) + 1);
      abort.abort(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(abort.signal.reason);
      abort.signal.addEventListener('abort', onAbort, { once: true });
    });
    const watch = (made: Socket): void => {
      socket = made;
      reader = new HandshakeReader(made, onGreeting);
    };
    try {
      const connecting = (): Promise<ChannelModel> =>
        connect(this.destination(host), this.socketOptions(host, abort.signal));
      const model = await Promise.race([watchingSockets(connecting, watch), aborted]);
      setImmediate(() => reader?.release());
      this.#tooSlow.delete(host);
      return model;
    } catch (error) {
      throw this.explained(error, reader?.closedWith);
    } finally {
      clearTimeout(timer);
      if (onAbort) abort.signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * A host that is only mute must not hold up the next one; a broker that is only slow gets more time with each attempt.
   * One that cannot be reached does not: a new attempt asks for the way sooner than the kernel would.
   */
  private timeoutMs(host: BrokerHost): number {
    const { livenessTimeoutMs } = this.options;
    const grown = Math.min(livenessTimeoutMs * (1 + (this.#tooSlow.get(host) ?? 0)), longestConnectTimeoutMs);
    return Math.max(grown, livenessTimeoutMs, shortestConnectTimeoutMs);
  }

  /** What amqplib says of a handshake that was broken off lacks the broker's words, or wraps them. */
  private explained(error: unknown, close: HandshakeClose | undefined): unknown {
    if (!close) return error;
    const words = replyText(close.text);
    if (close.code === ReplyCode.accessRefused) return new ConnectionRefused(words, { cause: error });
    if (close.code !== ReplyCode.notAllowed) return new Error(words, { cause: error });
    return new ConnectionRefused(`virtual host '${this.virtualHost}' is refused: ${words}`, { cause: error });
  }

  private destination(host: BrokerHost): Options.Connect {
    return {
      protocol: 'amqp',
      hostname: host.hostname,
      port: host.port,
      // amqplib decodes it once more.
      vhost: encodeURIComponent(this.virtualHost),
      channelMax,
      frameMax,
      heartbeat: Math.round(this.options.heartbeatTimeoutThreshold),
    };
  }

  private socketOptions(host: BrokerHost, signal: AbortSignal): SocketOptions {
    const options: SocketOptions & { signal: AbortSignal } = {
      noDelay: true,
      keepAlive: true,
      signal,
      credentials: saslResponse(this.options.rabbitLoginMethod, host),
      clientProperties: {
        product: 'nestjs-oslo-messaging',
        // amqplib would tell its own.
        version: undefined,
        information: undefined,
        connection_name: this.connectionName,
      },
    };
    return options;
  }
}
