import type { PublishChannel } from './publish-channel.js';

type AskedChannel = Pick<PublishChannel, 'answers' | 'isOpen' | 'line'>;

/** Notices that the broker's own process for a channel hangs, on a line that lives: it confirms nothing any more. */
export class StuckPublishing {
  /** A new connection that has not helped is no reason for another one: what is stuck is behind the channel. */
  private triedInVain = false;

  confirmed(): void {
    this.triedInVain = false;
  }

  async look(channel: AskedChannel | undefined, unconfirmed: Iterable<{ readonly channel: unknown }>): Promise<void> {
    const isDue = [...unconfirmed].some((message) => message.channel === channel);
    if (this.triedInVain || !isDue || !channel?.isOpen || (await channel.answers())) return;
    this.triedInVain = true;
    channel.line.giveUp('the broker does not answer on the channel that publishes');
  }
}
