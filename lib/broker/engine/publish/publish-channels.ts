import { Backoff } from '../connection/backoff.js';
import type { Connection } from '../connection/connection.js';
import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';
import { PublishChannel, type PublishChannelObserver } from './publish-channel.js';

export interface PublishChannelsObserver extends PublishChannelObserver {
  /** There is a channel to publish on. */
  channelOpened(): void;
}

/** A channel that lived shorter is as good as one that could not be opened. */
const stableAfterMs = 1_000;
/** A connection has 2 047 channels as a rule, and each is a process of the broker. */
const mostReplaced = 100;

/** `opening` and `backingOff` may keep the channel that is to be replaced. */
type ChannelsState =
  | { readonly name: 'backingOff'; readonly timer: NodeJS.Timeout; readonly channel: PublishChannel | undefined }
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly channel: PublishChannel }
  | { readonly name: 'opening'; readonly channel: PublishChannel | undefined }
  | { readonly name: 'waiting' };

const following: Transitions<ChannelsState['name']> = {
  waiting: ['opening', 'closed'],
  opening: ['open', 'opening', 'backingOff', 'waiting', 'closed'],
  open: ['opening', 'backingOff', 'waiting', 'closed'],
  backingOff: ['opening', 'backingOff', 'waiting', 'closed'],
  closed: [],
};

/** Keeps a channel open to publish on, for as long as there is a connection. */
export class PublishChannels {
  private readonly backoff = new Backoff();
  private readonly state = new State<ChannelsState>('publish channels', following, { name: 'waiting' });
  private failures = 0;
  /** Those that stayed for their confirms. */
  private replaced: PublishChannel[] = [];

  constructor(
    private readonly connection: Connection,
    private readonly observer: PublishChannelsObserver,
  ) {
    connection.listen({
      connected: (session) => {
        this.failures = 0;
        void this.open(session);
      },
      // Its channel tells of its own end, and of what that leaves behind.
      disconnected: () => {
        this.replaced = [];
        this.enter({ name: 'waiting' });
      },
    });
  }

  get current(): PublishChannel | undefined {
    const { value } = this.state;
    return 'channel' in value ? value.channel : undefined;
  }

  /** Opens another one in place of the current one, which stays for its confirms. False: too many have stayed. */
  renew(): boolean {
    this.replaced = this.replaced.filter((channel) => !channel.hasEnded);
    if (this.replaced.length >= mostReplaced) return false;
    const { session } = this.connection;
    if (session) void this.open(session, this.current);
    return true;
  }

  /** It has ended, and what it left behind is sorted out. `cured`: the next will live. */
  lost(channel: PublishChannel, cured: boolean): void {
    if (this.current !== channel) return;
    if (performance.now() - channel.openedAt >= stableAfterMs || cured) this.failures = 0;
    this.reopen(channel.session);
  }

  close(): void {
    this.current?.abandon();
    this.enter({ name: 'closed' });
  }

  private async open(session: Session, channel?: PublishChannel): Promise<void> {
    const opening: ChannelsState = { name: 'opening', channel };
    this.enter(opening);
    const opened = await PublishChannel.open(session, this.observer).catch(() => undefined);
    // Lost, closed or begun anew meanwhile.
    if (this.state.value !== opening) return opened?.replace();
    if (!opened || opened.hasEnded) return this.reopen(session, channel);
    this.enter({ name: 'open', channel: opened });
    if (channel) this.replace(channel);
    this.observer.channelOpened();
  }

  private replace(channel: PublishChannel): void {
    channel.replace();
    this.replaced.push(channel);
  }

  private reopen(session: Session, channel?: PublishChannel): void {
    if (this.connection.session !== session) return this.enter({ name: 'waiting' });
    // The end of its connection may be told after this.
    const delay = this.failures === 0 ? 0 : this.backoff.delayMs(this.failures);
    this.failures++;
    this.enter({ name: 'backingOff', timer: setTimeout(() => void this.open(session, channel), delay), channel });
  }

  private enter(next: ChannelsState): void {
    const { value } = this.state;
    if (value.name === 'closed' || (value.name === 'waiting' && next.name === 'waiting')) return;
    this.state.enter(next);
  }
}
