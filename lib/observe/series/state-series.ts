import { Gauge, type Registry } from 'prom-client';
import type { EventChannel } from '../../events/event-channel.js';
import type {
  HookedBus,
  HookedClient,
  HookedListener,
  HookedNotifier,
  HookedPart,
  HookedServer,
} from '../../events/hooked-part.js';
import type { Count } from './tallied-counter.js';
import { TalliedCounter } from './tallied-counter.js';

const STATES = ['connected', 'connecting', 'blocked', 'closed'] as const;
const PURPOSES = ['request', 'notification'] as const;

/** Our own series: what the parts count, and how they are at the moment of the scrape. */
export class StateSeries {
  private readonly parts = new Set<HookedPart>();
  private readonly unmatched: TalliedCounter<'bus' | 'reason'>;
  private readonly redeliveries: TalliedCounter<'kind'>;
  private readonly duplicates: TalliedCounter<'kind'>;
  private readonly dropped: TalliedCounter<'kind' | 'reason'>;

  constructor(private readonly registry: Registry) {
    this.unmatched = this.counter('unmatched_replies_total', 'Replies whose call was not waiting.', ['bus', 'reason']);
    this.redeliveries = this.counter('redeliveries_total', 'Messages that had been delivered before.', ['kind']);
    this.duplicates = this.counter('duplicates_total', 'Messages that were recognised and dropped.', ['kind']);
    this.dropped = this.counter('dropped_total', 'Messages that were given up.', ['kind', 'reason']);
    this.declareBusGauges();
    this.declarePartGauges();
  }

  attach(part: HookedPart): () => void {
    this.parts.add(part);
    const leave = [...this.tally(part), this.watchDrops(part.events)];
    return () => {
      this.parts.delete(part);
      for (const one of leave) one();
    };
  }

  private declareBusGauges(): void {
    this.gauge('connection_state', 'Buses in each state.', ['bus', 'state'], () =>
      [...this.buses()].flatMap((bus) =>
        STATES.map((state) => ({ labels: { bus: bus.url, state }, value: Number(bus.state === state) })),
      ),
    );
    const ofPurposes = (count: 'bytes' | 'messages') => (): Count<'bus' | 'purpose'>[] =>
      [...this.buses()].flatMap((bus) =>
        PURPOSES.map((purpose) => ({ labels: { bus: bus.url, purpose }, value: bus.inFlight[purpose][count] })),
      );
    const labels = ['bus', 'purpose'] as const;
    this.gauge('in_flight_publishes', 'Messages that have no confirm yet.', labels, ofPurposes('messages'));
    this.gauge('in_flight_bytes', 'Bytes that are held for them.', labels, ofPurposes('bytes'));
    this.gauge('pending_calls', 'Calls that wait for their answer.', ['bus'], () => {
      const inboxes = new Map(this.of<HookedClient>('client').map(({ replies, bus }) => [replies, bus]));
      return [...inboxes].map(([{ pendingCalls }, { url: bus }]) => ({ labels: { bus }, value: pendingCalls }));
    });
  }

  private declarePartGauges(): void {
    const ofServers = (count: keyof HookedServer['load']) => (): Count<'server' | 'topic'>[] =>
      this.of<HookedServer>('server').map(({ server, topics, load }) => ({
        labels: { server, topic: topics.join(',') },
        value: load[count],
      }));
    const labels = ['server', 'topic'] as const;
    this.gauge('handler_slots', 'Handlers that may run at a time.', labels, ofServers('slots'));
    this.gauge('handler_slots_used', 'Handlers that run.', labels, ofServers('running'));
    this.gauge('waiting_requests', 'Requests that wait in the process.', labels, ofServers('waiting'));
    this.gauge('listener_backlog', 'Notifications in the process, not yet dealt with.', ['queue'], () =>
      this.of<HookedListener>('listener').flatMap(({ held }) =>
        [...held].map(([queue, value]) => ({ labels: { queue }, value })),
      ),
    );
    this.gauge('pending_notifications', 'Notifications that are not out yet.', [], () =>
      this.of<HookedNotifier>('notifier').map(({ pending: value }) => ({ labels: {}, value })),
    );
  }

  private tally(part: HookedPart): (() => void)[] {
    if (part.kind === 'client') return this.tallyReplies(part);
    if (part.kind === 'notifier') return [];
    const { counters } = part;
    const kind = part.kind === 'server' ? 'request' : 'notification';
    return [
      this.redeliveries.add(counters, () => [{ labels: { kind }, value: counters.redelivered }]),
      this.duplicates.add(counters, () => [{ labels: { kind }, value: counters.duplicates }]),
      this.dropped.add(counters, () => [{ labels: { kind, reason: 'malformed' }, value: counters.rejected }]),
    ];
  }

  private tallyReplies({ replies, bus: { url: bus } }: HookedClient): (() => void)[] {
    const { counters } = replies;
    return [
      this.unmatched.add(replies, () => [
        { labels: { bus, reason: 'late' }, value: counters.lateReplies },
        { labels: { bus, reason: 'unknown' }, value: counters.unknownReplies },
        { labels: { bus, reason: 'repeated' }, value: counters.repeatedReplies },
      ]),
      this.dropped.add(replies, () => [
        { labels: { kind: 'reply', reason: 'malformed' }, value: counters.malformedReplies },
      ]),
    ];
  }

  /** Duplicates have a series of their own. */
  private watchDrops(events: EventChannel): () => void {
    return events.watch((event) => {
      if (event.type === 'request-dropped' && event.reason !== 'duplicate') this.drop('request', event.reason);
      if (event.type === 'notification-dropped' && event.reason !== 'duplicate')
        this.drop('notification', event.reason);
      if (event.type === 'notification-dead-lettered' && !event.taken) this.drop('notification', 'dead-letter');
      if (event.type === 'reply-dropped') this.drop('reply', 'undeliverable');
    });
  }

  private drop(kind: 'notification' | 'reply' | 'request', reason: string): void {
    this.dropped.inc({ kind, reason });
  }

  /** Each once, however many parts are on it. */
  private buses(): ReadonlySet<HookedBus> {
    return new Set([...this.parts].flatMap(({ bus }) => bus ?? []));
  }

  private of<Part extends HookedPart>(kind: Part['kind']): Part[] {
    return [...this.parts].filter((part): part is Part => part.kind === kind);
  }

  private counter<Name extends string>(name: string, help: string, labels: readonly Name[]): TalliedCounter<Name> {
    return new TalliedCounter(`nestjs_oslo_${name}`, help, labels, this.registry);
  }

  /** Parts with the same labels are added up. */
  private gauge<Name extends string>(
    name: string,
    help: string,
    labelNames: readonly Name[],
    read: () => readonly Count<Name>[],
  ): void {
    const gauge = new Gauge({
      name: `nestjs_oslo_${name}`,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
    this.registry.registerMetric(gauge);
  }
}
