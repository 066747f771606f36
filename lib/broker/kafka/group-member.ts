import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { ConnectionChanged, EventLevel } from '../../events/messaging-event.js';
import { Backoff, type BackoffOptions } from '../engine/connection/backoff.js';
import { FirstTime } from '../engine/connection/first-time.js';
import { State, type Transitions } from '../engine/state.js';
import { GroupSession } from './group-session.js';
import type { KafkaCluster } from './kafka-cluster.js';
import { isRefusal } from './kafka-errors.js';
import type { Membership, TopicSubscription } from './topic-subscription.js';

export interface GroupMemberParts {
  readonly cluster: KafkaCluster;
  readonly events: EventChannel;
  readonly backoff: BackoffOptions;
  onClosed(member: GroupMember): void;
}

type MemberState =
  | { readonly name: 'closed' }
  | { readonly name: 'consuming'; readonly session: GroupSession }
  | { readonly name: 'idle' }
  | { readonly name: 'joining'; readonly session: GroupSession | undefined }
  | { readonly name: 'waiting'; readonly timer: NodeJS.Timeout };

const following: Transitions<MemberState['name']> = {
  idle: ['joining', 'closed'],
  joining: ['joining', 'consuming', 'waiting', 'closed'],
  consuming: ['waiting', 'closed'],
  waiting: ['joining', 'closed'],
  closed: [],
};

/** A place in a consumer group, for subscriptions to different topics: joins, and joins again after each failure. */
export class GroupMember implements Membership {
  private readonly state = new State<MemberState>('group member', following, { name: 'idle' });
  private readonly backoff: Backoff;
  private readonly subscriptions = new Set<TopicSubscription>();
  /** Until it consumes for the first time. */
  private readonly waiters = new Set<FirstTime>();
  private failures = 0;
  private downSince: number | undefined;
  private memberId: string | null = null;
  private closing: Promise<void> | undefined;
  private failure: string | undefined;

  constructor(
    readonly groupId: string,
    private readonly parts: GroupMemberParts,
  ) {
    this.backoff = new Backoff(parts.backoff);
  }

  get consuming(): boolean {
    return this.state.name === 'consuming';
  }

  get lastFailure(): string | undefined {
    return this.failure;
  }

  /** False when somebody here has one of its topics already. */
  takes(subscription: TopicSubscription): boolean {
    return ![...this.subscriptions].some(({ topics }) =>
      [...topics.keys()].some((topic) => subscription.topics.has(topic)),
    );
  }

  /** Before it starts. */
  add(subscription: TopicSubscription): void {
    subscription.membership = this;
    this.subscriptions.add(subscription);
  }

  /** Resolves when it consumes. @throws MessageDeliveryFailure refused, or `giveUpMs` passes first @throws ClosedError */
  consumes(giveUpMs?: number): Promise<void> {
    const waiter = new FirstTime(giveUpMs, () => this.giveUp(waiter));
    this.waiters.add(waiter);
    return waiter.promise;
  }

  start(): void {
    if (this.state.name === 'idle') void this.join();
  }

  wake(): void {
    const { value } = this.state;
    if (value.name === 'consuming') value.session.wake();
  }

  /** The group learns of it with the last one; until then what comes to its topics waits in Kafka. */
  async leave(subscription: TopicSubscription): Promise<void> {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size === 0) await this.close();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async join(): Promise<void> {
    this.enter({ name: 'joining', session: undefined }, { level: 'debug', message: `Joining ${this.description}` });
    const { cluster } = this.parts;
    let session: GroupSession | undefined;
    try {
      const client = await cluster.client();
      if (this.closing) return;
      session = new GroupSession(client, cluster, this.groupId, [...this.subscriptions], this.memberId);
      this.enter({ name: 'joining', session });
      await session.open();
      if (this.closing) return;
      this.joined(session);
      await session.ended;
    } catch (error) {
      if (this.closing) return;
      this.memberId = session?.memberId ?? this.memberId;
      this.lost(error);
    }
    await session?.close({ leaving: false });
  }

  private joined(session: GroupSession): void {
    this.failures = 0;
    this.failure = undefined;
    this.downSince = undefined;
    this.enter({ name: 'consuming', session }, { level: 'log', message: `Joined ${this.description}` });
    this.endWaiting();
  }

  private lost(error: unknown): void {
    const reason = this.parts.cluster.explained(error);
    const refused = isRefusal(error) || error instanceof ConfigurationError;
    const isKnown = this.failure === reason;
    this.failure = reason;
    if (!this.consuming) this.failures += 1;
    const now = performance.now();
    this.downSince ??= now;
    if (refused && this.waiters.size > 0) return void this.refuse(error, reason);
    const what = this.consuming ? `${this.description} was lost` : `Joining ${this.description} failed`;
    const level: EventLevel = refused ? 'error' : isKnown ? 'debug' : 'warn';
    const pauseMs = refused
      ? this.backoff.refusedDelayMs(this.failures || 1)
      : this.backoff.delayMs(this.failures, { ms: now - this.downSince, neighbours: 0 });
    const timer = setTimeout(() => void this.join(), pauseMs);
    this.enter({ name: 'waiting', timer }, { level, message: `${what}: ${reason}`, error });
    for (const waiter of this.waiters) waiter.attemptFailed({ reason, error });
  }

  private async refuse(error: unknown, reason: string): Promise<void> {
    const host = this.parts.cluster.label;
    const refusal =
      error instanceof ConfigurationError
        ? error
        : new MessageDeliveryFailure(`${this.description} was refused: ${reason}`, { host, cause: error });
    this.endWaiting(refusal);
    await this.close();
  }

  private giveUp(waiter: FirstTime): void {
    this.waiters.delete(waiter);
    const host = this.parts.cluster.label;
    const why = this.failure ?? 'the first attempt has not ended yet';
    const facts = { host, attempts: this.failures };
    waiter.end(new MessageDeliveryFailure(`${this.description} could not be joined: ${why}`, facts));
  }

  private async end(): Promise<void> {
    const { value } = this.state;
    this.endWaiting(new ClosedError('broker'));
    if (value.name === 'consuming' || value.name === 'joining') await value.session?.close({ leaving: true });
    this.enter({ name: 'closed' }, { level: 'log', message: `Left ${this.description}` });
    this.parts.onClosed(this);
  }

  private endWaiting(error?: Error): void {
    for (const waiter of this.waiters) waiter.end(error);
    this.waiters.clear();
  }

  private enter(next: MemberState, facts?: Pick<ConnectionChanged, 'error' | 'level' | 'message'>): void {
    const before = this.state.enter(next);
    if (!before || !facts) return;
    const [from, to] = [phaseOf(before), phaseOf(next)];
    const host = this.parts.cluster.label;
    if (from !== to)
      this.parts.events.emit({ type: 'connection-changed', connection: 'consume', from, to, host, ...facts });
  }

  private get description(): string {
    const topics = [...this.subscriptions].flatMap((subscription) => [...subscription.topics.keys()]);
    return `Kafka's group '${this.groupId}' at ${this.parts.cluster.label}${topics.length > 0 ? ` for ${topics.join(', ')}` : ''}`;
  }
}

function phaseOf({ name }: MemberState): ConnectionChanged['from'] {
  switch (name) {
    case 'consuming':
      return 'connected';
    case 'joining':
      return 'connecting';
    case 'closed':
      return 'closed';
    default:
      return 'disconnected';
  }
}
