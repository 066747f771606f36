import type { ConfirmChannel, Options } from 'amqplib';
import { isAnswered, whileMoving } from './answered-in-time.js';
import type { Line } from './line.js';
import { openedInTime } from './opened-in-time.js';
import type { PendingMessage } from './pending-message.js';
import type { ReturnedMessage } from './returned-messages.js';

export interface PublishChannelObserver {
  confirmed(channel: PublishChannel, pending: PendingMessage): void;
  nacked(channel: PublishChannel, pending: PendingMessage): void;
  returned(channel: PublishChannel, returned: ReturnedMessage): void;
  /** `error`: the broker closed the channel and says why; else its connection is gone. */
  channelLost(channel: PublishChannel, error: Error | undefined): void;
}

const noHeaders = Object.freeze({});

/** One confirm channel, from its opening to its end. */
export class PublishChannel {
  readonly openedAt = performance.now();
  private alive = true;
  /** Messages that the broker has taken or refused. */
  private settled = 0;
  private error: Error | undefined;

  private constructor(
    readonly line: Line,
    private readonly channel: ConfirmChannel,
    private readonly observer: PublishChannelObserver,
  ) {
    channel.on('error', (error) => (this.error ??= error));
    // First of all: amqplib's own listener then fails each unconfirmed message by itself.
    channel.prependListener('close', () => this.closed());
    channel.on('return', ({ fields, content }) => {
      if (this.alive) observer.returned(this, { exchange: fields.exchange, routingKey: fields.routingKey, content });
    });
  }

  static async open(line: Line, observer: PublishChannelObserver): Promise<PublishChannel> {
    const channel = await openedInTime(line.model.createConfirmChannel(), line.patience);
    return new PublishChannel(line, channel, observer);
  }

  /** Whether the broker reads what is written now. */
  get isOpen(): boolean {
    return this.alive && this.line.alive && !this.line.blocked;
  }

  /** Whether another message may be written now. */
  get takesMessages(): boolean {
    return this.alive && this.line.takesMessages;
  }

  /** Whether the broker still serves this very channel; asked by what changes nothing. */
  answers(): Promise<boolean> {
    return isAnswered(
      this.channel.prefetch(0),
      whileMoving(() => this.settled, this.line.patience),
    );
  }

  /** @throws TypeError a name that AMQP cannot carry */
  write(pending: PendingMessage, atOnce: boolean): void {
    const { exchange, routingKey } = pending.message;
    const { mandatory } = pending;
    const options: Options.Publish = {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: noHeaders,
      deliveryMode: 2,
      priority: 0,
      mandatory,
    };
    const expiration = pending.expiration(atOnce);
    if (expiration !== undefined) options.expiration = expiration;
    const { content } = pending;
    const uploaded = this.line.upload(content.length);
    const settled = (error: unknown): void => {
      uploaded();
      this.line.messageRead();
      this.settled += 1;
      if (!this.alive) return;
      if (error) this.observer.nacked(this, pending);
      else this.observer.confirmed(this, pending);
    };
    try {
      this.channel.publish(exchange, routingKey, content, options, settled);
    } catch (error) {
      uploaded();
      throw error;
    }
    if (this.line.messageWritten()) void this.tellWhenRead();
  }

  /** The queue of the first message may be slow to confirm; the broker reads on all the same, unless it is under an alarm. */
  private async tellWhenRead(): Promise<void> {
    if (await this.answers()) this.line.messageRead();
  }

  /** Closes a channel that nothing is awaited from any more. */
  retire(): void {
    if (!this.alive) return;
    this.alive = false;
    this.channel.close().catch(() => undefined);
  }

  /** Leaves the channel to the end of its connection; nothing is reported any more. */
  abandon(): void {
    this.alive = false;
  }

  private closed(): void {
    if (!this.alive) return;
    this.alive = false;
    this.observer.channelLost(this, this.error);
  }
}
