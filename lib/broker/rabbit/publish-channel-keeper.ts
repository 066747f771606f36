import type { ConnectionSupervisor } from './connection-supervisor.js';
import type { Line } from './line.js';
import { PublishChannel, type PublishChannelObserver } from './publish-channel.js';
import { ReconnectPolicy } from './reconnect-policy.js';

export interface ChannelKeeperObserver extends PublishChannelObserver {
  /** There is a channel to publish on; `before`: the one that it replaces. */
  channelOpened(before: PublishChannel | undefined): void;
}

const stableAfterMs = 1_000;

/** Keeps a channel open to publish on, for as long as there is a line. */
export class PublishChannelKeeper {
  private readonly policy = new ReconnectPolicy();
  private channel: PublishChannel | undefined;
  private failures = 0;
  private reopening: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly supervisor: ConnectionSupervisor,
    private readonly observer: ChannelKeeperObserver,
  ) {
    supervisor.listen({
      lineUp: (line) => {
        this.failures = 0;
        void this.open(line);
      },
      lineDown: () => clearTimeout(this.reopening),
    });
  }

  get current(): PublishChannel | undefined {
    return this.channel;
  }

  /** Opens another one in place of the current one, which stays for its confirms until it is retired. */
  renew(): void {
    const { line } = this.supervisor;
    if (line) void this.open(line);
  }

  /** The broker has closed it, or its line is gone; what it left behind has to be sorted out before. `cured`: the next will live. */
  lost(channel: PublishChannel, cured: boolean): void {
    if (this.channel !== channel) return;
    this.channel = undefined;
    if (performance.now() - channel.openedAt >= stableAfterMs || cured) this.failures = 0;
    this.reopen(channel.line);
  }

  close(): void {
    this.closed = true;
    this.channel?.abandon();
    this.channel = undefined;
    clearTimeout(this.reopening);
  }

  private async open(line: Line): Promise<void> {
    try {
      const channel = await PublishChannel.open(line, this.observer);
      if (this.closed || !line.alive) return channel.abandon();
      const before = this.channel;
      this.channel = channel;
      this.observer.channelOpened(before);
    } catch {
      this.reopen(line);
    }
  }

  private reopen(line: Line): void {
    if (this.closed || this.supervisor.line !== line) return;
    clearTimeout(this.reopening);
    // Whether its line is gone as well is known when amqplib has told everybody.
    const delay = this.failures === 0 ? 0 : this.policy.delayMs(this.failures);
    this.failures++;
    this.reopening = setTimeout(() => {
      if (this.supervisor.line === line) void this.open(line);
    }, delay);
  }
}
