import type { Channel, ChannelModel } from 'amqplib';

/**
 * A channel for what the broker may refuse: a refusal closes the channel it came by, and here that
 * takes neither unconfirmed messages nor consumers along. Opened when needed, one operation at a time.
 */
export class SpareChannel {
  private channel: Promise<Channel> | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly model: ChannelModel) {}

  run<T>(operation: (channel: Channel) => Promise<T>): Promise<T> {
    const result = this.last.then(async () => operation(await this.opened()));
    this.last = result.catch(() => undefined);
    return result;
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
