import type { Channel, ChannelModel } from 'amqplib';
import { replyCode } from './amqp-reply.js';
import { type Patience, answeredInTime } from './answered-in-time.js';

/** The broker answers others, but not this: a queue whose process hangs holds up each channel that asks for it. */
export class NoAnswer extends Error {
  constructor(what: string) {
    super(`the broker does not answer: ${what}`);
  }
}

/**
 * A channel for what the broker may refuse: a refusal closes the channel it came by, and here that
 * takes neither unconfirmed messages nor consumers along. Opened when needed, one operation at a time.
 *
 * One that is not answered in time is left behind with its channel, and the next goes on with another.
 */
export class SpareChannel {
  private channel: Promise<Channel> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private readonly unanswered = new Set<string>();

  constructor(
    private readonly model: ChannelModel,
    private readonly patience: Patience,
  ) {}

  /**
   * `what`, in words: while it has no answer the same is not asked again, which would cost a channel each time.
   *
   * @throws NoAnswer
   */
  run<T>(what: string, operation: (channel: Channel) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.attempt(what, operation));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async attempt<T>(what: string, operation: (channel: Channel) => Promise<T>): Promise<T> {
    if (this.unanswered.has(what)) throw new NoAnswer(what);
    const opened = this.opened();
    let left = false;
    const answer = opened.then((channel) => {
      if (left) throw new NoAnswer(what);
      return operation(channel);
    });
    try {
      return await answeredInTime(answer, this.patience, () => new NoAnswer(what));
    } catch (error) {
      left = true;
      if (error instanceof NoAnswer) this.leave(what, opened, answer);
      // What amqplib could not write (a name that is too long) leaves the channel waiting for an answer, for ever.
      else if (replyCode(error) === undefined) this.leave(what, opened, Promise.resolve());
      throw error;
    }
  }

  private leave(what: string, opened: Promise<Channel>, answer: Promise<unknown>): void {
    this.forget(opened);
    this.unanswered.add(what);
    const end = async (): Promise<void> => {
      this.unanswered.delete(what);
      await (await opened).close();
    };
    // Closed by the broker, or with its connection, it needs no closing.
    answer.then(end, end).catch(() => undefined);
  }

  private opened(): Promise<Channel> {
    if (this.channel) return this.channel;
    const opening = this.model.createChannel().then((channel) => {
      // The operation that was refused has the error as well.
      channel.on('error', () => this.forget(opening));
      channel.on('close', () => this.forget(opening));
      return channel;
    });
    opening.catch(() => this.forget(opening));
    return (this.channel = opening);
  }

  private forget(channel: Promise<Channel>): void {
    if (this.channel === channel) this.channel = undefined;
  }
}
