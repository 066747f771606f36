import type { Channel, ChannelModel } from 'amqplib';
import { replyCode } from './amqp-reply.js';

/**
 * A channel for what the broker may refuse: a refusal closes the channel it came by, and here that
 * takes neither unconfirmed messages nor consumers along. Opened when needed, one operation at a time.
 */
export class SpareChannel {
  private channel: Promise<Channel> | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly model: ChannelModel) {}

  run<T>(operation: (channel: Channel) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.attempt(operation));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async attempt<T>(operation: (channel: Channel) => Promise<T>): Promise<T> {
    const opened = this.opened();
    const channel = await opened;
    try {
      return await operation(channel);
    } catch (error) {
      // What amqplib could not write (a name that is too long) leaves the channel waiting for an answer, for ever.
      if (replyCode(error) === undefined) this.forget(opened);
      throw error;
    }
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
