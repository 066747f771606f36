import type { MessageBroker } from '../../broker/broker.js';
import type { ConnectionOutage } from '../../errors/timeout-diagnosis.js';
import type { EventChannel } from '../../events/event-channel.js';
import type { ConnectionChanged } from '../../events/messaging-event.js';

/** How many outages are remembered; a call that has seen more has seen enough. */
const REMEMBERED = 16;
/** Connecting for the first time is no outage, unless it takes longer. */
const FIRST_CONNECTING_MS = 1000;

interface RecordedOutage {
  readonly kind: ConnectionOutage['kind'];
  readonly connection: ConnectionOutage['connection'];
  readonly from: Moment;
  to?: Moment;
  /** It began before anything was known. */
  readonly isFirst: boolean;
}

/** On the clock of `performance.now()`, and on the one for people. */
interface Moment {
  readonly at: number;
  readonly date: Date;
}

/** When the lines of a broker were down or blocked, or our reply queue was not consumed, from its events. */
export class OutageLog {
  private outages: RecordedOutage[] = [];
  private readonly unwatch: () => void;

  constructor(
    private readonly broker: MessageBroker,
    events: EventChannel,
    isReplyQueue: (queue: string) => boolean,
  ) {
    if (broker.state === 'connecting') this.begin('disconnected', 'publish', true);
    this.unwatch = events.watch((event) => {
      if (event.type === 'connection-changed') this.changed(event);
      else if (event.type === 'consumers-lost' && event.queues.some(isReplyQueue))
        this.begin('reply-queue-lost', 'consume');
      else if (event.type === 'consumers-restored' && event.queues.some(isReplyQueue)) this.end(isOfQueue);
    });
  }

  /** Those that overlap the time since `startedAt`, oldest first. */
  since(startedAt: number): ConnectionOutage[] {
    return this.outages
      .filter(({ to }) => to === undefined || to.at >= startedAt)
      .map(({ kind, connection, from, to }) => {
        return { kind, connection, from: from.date.toISOString(), to: to?.date.toISOString() ?? null };
      });
  }

  close(): void {
    this.unwatch();
  }

  private changed({ connection, from, to }: ConnectionChanged): void {
    const isOfLine = (outage: RecordedOutage): boolean => !isOfQueue(outage) && outage.connection === connection;
    if (to === 'connected') this.end(isOfLine);
    if (to === 'disconnected') {
      if (from === 'blocked') this.end(isOfLine);
      this.begin('disconnected', connection);
    }
    if (to === 'blocked') this.begin('blocked', connection);
    // An outage from the start was recorded without knowing which connection it was.
    if (this.broker.state === 'connected') this.end((outage) => !isOfQueue(outage));
  }

  private begin(kind: ConnectionOutage['kind'], connection: ConnectionOutage['connection'], isFirst = false): void {
    const begun: RecordedOutage = { kind, connection, from: now(), isFirst };
    // Each attempt that fails says it again.
    const isSame = (other: RecordedOutage): boolean =>
      other.to === undefined && other.connection === connection && isOfQueue(other) === isOfQueue(begun);
    if (this.outages.some(isSame)) return;
    this.outages.push(begun);
    if (this.outages.length > REMEMBERED) this.outages.shift();
  }

  private end(isMeant: (outage: RecordedOutage) => boolean): void {
    const to = now();
    for (const outage of this.outages) if (outage.to === undefined && isMeant(outage)) outage.to = to;
    this.outages = this.outages.filter((outage) => !outage.isFirst || lasted(outage) >= FIRST_CONNECTING_MS);
  }
}

function isOfQueue({ kind }: RecordedOutage): boolean {
  return kind === 'reply-queue-lost';
}

function lasted({ from, to }: RecordedOutage): number {
  return to === undefined ? Infinity : to.at - from.at;
}

function now(): Moment {
  return { at: performance.now(), date: new Date() };
}
