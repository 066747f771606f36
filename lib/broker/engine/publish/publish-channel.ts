import type { BrokerRefusal, ChannelObserver, LinkChannel, Receipt, ReturnedMessage } from '../../link.js';
import { isAnswered, openWithin, whileMoving } from '../connection/broker-request.js';
import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';
import type { PendingMessage, Place } from './pending-message.js';

export interface PublishChannelObserver {
  confirmed(channel: PublishChannel, pending: PendingMessage): void;
  nacked(channel: PublishChannel, pending: PendingMessage): void;
  returned(channel: PublishChannel, returned: ReturnedMessage): void;
  /** `refusal`: the broker closed the channel and says why; else its connection is gone. */
  channelLost(channel: PublishChannel, refusal: BrokerRefusal | undefined): void;
}

/** `replaced`: it stays for its confirms alone. */
type ChannelState = { readonly name: 'ended' } | { readonly name: 'open' } | { readonly name: 'replaced' };

const following: Transitions<ChannelState['name']> = {
  open: ['replaced', 'ended'],
  replaced: ['ended'],
  ended: [],
};

/** One confirm channel, from its opening to its end; and the place of the messages that it has not confirmed. */
export class PublishChannel implements ChannelObserver, Place {
  readonly name = 'unconfirmed';
  readonly openedAt = performance.now();
  private channel!: LinkChannel;
  private readonly state = new State<ChannelState>('publish channel', following, { name: 'open' });
  private unconfirmed = 0;
  /** Messages that the broker has confirmed or refused. */
  private settled = 0;

  private constructor(
    readonly session: Session,
    private readonly observer: PublishChannelObserver,
  ) {}

  static async open(session: Session, observer: PublishChannelObserver): Promise<PublishChannel> {
    const opened = new PublishChannel(session, observer);
    opened.channel = await openWithin(session.timeout, session.link, opened, { confirms: true });
    return opened;
  }

  get hasEnded(): boolean {
    return this.state.name === 'ended';
  }

  /** True when the broker still reads what was written on it. */
  get isRead(): boolean {
    return !this.hasEnded && this.session.alive && !this.session.blocked;
  }

  /** True when another message may be written now. */
  get takesMessages(): boolean {
    return this.state.name === 'open' && this.session.takesMessages;
  }

  get hasUnconfirmed(): boolean {
    return this.unconfirmed > 0;
  }

  entered(): void {
    this.unconfirmed += 1;
  }

  left(): void {
    this.unconfirmed -= 1;
    if (this.state.name === 'replaced') this.endWhenConfirmed();
  }

  /** True when the broker still serves this very channel; asked by what changes nothing. */
  answers(): Promise<boolean> {
    const timeout = whileMoving(() => this.settled, this.session.timeout);
    return isAnswered(timeout, 'publish channel', this.channel.prefetch(0));
  }

  /** @throws Error a name that AMQP cannot carry */
  write(pending: PendingMessage, atOnce: boolean): void {
    const { exchange, routingKey, body, inContext } = pending.message;
    const { mandatory } = pending;
    const expiration = pending.expiration(atOnce);
    this.channel.publish({ exchange, routingKey, body, mandatory, expiration, inContext }, this.receiptOf(pending));
    if (this.session.messageWritten()) void this.tellWhenRead();
  }

  /** Another channel has taken its place: it stays until all on it is confirmed. */
  replace(): void {
    if (this.state.name !== 'open') return;
    this.state.enter({ name: 'replaced' });
    this.endWhenConfirmed();
  }

  /** Leaves it to the end of its connection; nothing is reported any more. */
  abandon(): void {
    if (!this.hasEnded) this.state.enter({ name: 'ended' });
  }

  returned(message: ReturnedMessage): void {
    if (!this.hasEnded) this.observer.returned(this, message);
  }

  channelClosed(refusal: BrokerRefusal | undefined): void {
    if (this.hasEnded) return;
    this.state.enter({ name: 'ended' });
    // What it refuses it has read; nothing else would say so on a channel that has hung.
    if (refusal) this.session.messageRead();
    this.observer.channelLost(this, refusal);
  }

  private receiptOf(pending: PendingMessage): Receipt {
    const written = ++pending.writes;
    return (refusal) => {
      if (this.hasEnded) return;
      this.session.messageRead();
      this.settled += 1;
      // It was returned, and is under way once more.
      if (pending.writes !== written) return;
      if (refusal) this.observer.nacked(this, pending);
      else this.observer.confirmed(this, pending);
    };
  }

  /** The queue of the first message may be slow to confirm; the broker reads on all the same, unless it is under an alarm. */
  private async tellWhenRead(): Promise<void> {
    if (await this.answers()) this.session.messageRead();
  }

  private endWhenConfirmed(): void {
    if (this.unconfirmed > 0) return;
    this.state.enter({ name: 'ended' });
    this.channel.close().catch(() => undefined);
  }
}
