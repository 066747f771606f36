import type { ChannelModel } from 'amqplib';
import { socketOf } from './amqp-socket.js';
import type { ConnectionOpener } from './connection-opener.js';
import type { BrokerHost, HostRotation } from './host-rotation.js';

export interface OpenedConnection {
  model: ChannelModel;
  host: BrokerHost;
}

/** Why no connection came about, and with which host. */
export class AttemptFailed extends Error {
  constructor(
    readonly host: BrokerHost,
    readonly reason: unknown,
  ) {
    super('no connection', { cause: reason });
  }
}

/** A broker that is there greets sooner: a host that is half gone accepts connections, and says nothing. */
const secondAfterMs = 1_250;

/** One attempt to connect. A host that does not greet soon is tried beside the next one: which opens first is taken. */
export class ConnectionAttempt {
  private readonly running = new Set<AbortController>();
  private second: NodeJS.Timeout | undefined;

  constructor(
    private readonly opener: ConnectionOpener,
    private readonly hosts: HostRotation,
  ) {}

  /**
   * Tries `host`, and perhaps another one. Whoever awaits it has to listen to the connection in the same turn.
   *
   * @throws AttemptFailed
   */
  async open(host: BrokerHost): Promise<OpenedConnection> {
    const first = this.try(host);
    const second = new Promise<OpenedConnection>((resolve, reject) => {
      this.second = setTimeout(() => void this.try(this.hosts.next()).then(resolve, reject), secondAfterMs);
      // Without a second one there is nothing to wait for.
      first.catch((error: unknown) => this.running.size === 0 && reject(error));
    });
    try {
      return await Promise.any([first, second]);
    } catch (error) {
      throw (error as AggregateError).errors[0];
    } finally {
      this.abort();
    }
  }

  /** Ends it, and the sockets of whatever has not opened. */
  abort(): void {
    clearTimeout(this.second);
    for (const abort of this.running) abort.abort(new Error('given up'));
    this.running.clear();
  }

  private async try(host: BrokerHost): Promise<OpenedConnection> {
    const abort = new AbortController();
    this.running.add(abort);
    try {
      const model = await this.opener.open(host, abort);
      // The other one was sooner.
      if (!this.running.has(abort)) return this.discard(model, host);
      this.running.delete(abort);
      this.hosts.reached(host);
      return { model, host };
    } catch (error) {
      this.running.delete(abort);
      this.hosts.failed(host);
      throw new AttemptFailed(host, error);
    }
  }

  private discard(model: ChannelModel, host: BrokerHost): never {
    model.on('error', () => undefined);
    socketOf(model).destroy();
    throw new AttemptFailed(host, new Error('another connection was opened sooner'));
  }
}
