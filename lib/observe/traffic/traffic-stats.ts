import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { CallPairing, type PairingOptions, type SeenRequest } from './call-pairing.js';
import { kindOf, type TapSource, type TrafficRecord } from './traffic-record.js';

/** Traffic of one method or event type, on one topic of one exchange, in one interval. */
export interface TrafficRow {
  readonly exchange: string;
  /** `conductor`; of a notification the whole routing key. */
  readonly topic: string;
  /** `baseapi.ping`, or the type of a notification. */
  readonly name: string;
  readonly kind: SeenRequest['kind'] | 'notification';
  /** Messages of the interval, and a second of it. */
  readonly messages: number;
  readonly rate: number;
  /** Of the calls that were answered in the interval, milliseconds; absent: none was, or answers cannot be seen. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Calls that were answered in the interval. */
  readonly answered?: number;
  /** Calls that failed, were late or were given up by their callers; requests that found nobody. */
  readonly errors?: number;
  /** Calls that wait for their answer right now. */
  readonly inFlight?: number;
}

/** Sums of one row, since the last interval. */
interface Series {
  readonly facts: Pick<TrafficRow, 'exchange' | 'kind' | 'name' | 'topic'>;
  messages: number;
  answered: number;
  errors: number;
  inFlight: number;
  /** Microseconds. */
  latency?: RecordableHistogram;
}

const MOST_SERIES = 1_000;
const REST = 'other';
/** The histogram takes whole numbers from 1 on. */
const MICROSECONDS = 1_000;
const LONGEST_US = 24 * 3_600_000 * MICROSECONDS;

/**
 * Rates, latencies and errors per exchange, topic and method of what is seen on a bus. Bounded: beyond a thousand rows there is
 * one for the rest of each kind.
 */
export class TrafficStats {
  private readonly series = new Map<string, Series>();
  private readonly open = new Map<SeenRequest, Series>();
  private readonly pairing: CallPairing;

  /** `source`: bindings see no answers, and so neither latencies nor errors. */
  constructor(
    private readonly source: TapSource,
    limits: Omit<PairingOptions, 'source'> = {},
    private readonly mostSeries = MOST_SERIES,
  ) {
    this.pairing = new CallPairing(
      {
        published: (request) => this.published(request),
        ended: (request) => this.ended(request),
        forgotten: (request) => this.leave(request),
      },
      { ...limits, source },
    );
  }

  add(record: TrafficRecord): void {
    if (kindOf(record) !== 'notification') return this.pairing.add(record);
    if (record.ev !== 'publish') return;
    const { exchange, key, message } = record;
    this.seriesOf({ exchange, topic: key, name: String(message?.event_type), kind: 'notification' }).messages += 1;
  }

  /** Some messages were not read: a call without an answer is no error then. */
  missed(at: number): void {
    this.pairing.missed(at);
  }

  /**
   * The rows of the interval that ends now and was so many seconds long; the next one begins. `now`: on the clock of the records.
   * Sorted by their names.
   */
  interval(now: number, seconds: number): TrafficRow[] {
    this.pairing.passTime(now);
    const rows = [...this.series.values()].map((one) => this.rowOf(one, seconds));
    for (const [key, one] of this.series) {
      // A row of which nothing was seen makes room.
      if (one.messages + one.answered + one.errors + one.inFlight === 0) this.series.delete(key);
      Object.assign(one, { messages: 0, answered: 0, errors: 0 });
      one.latency?.reset();
    }
    return rows.toSorted((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1));
  }

  private published(request: SeenRequest): void {
    const { kind, record, topic, namespace, method, state } = request;
    const name = namespace === null ? method : `${namespace}.${method}`;
    const series = this.seriesOf({ exchange: record.exchange, topic, name, kind });
    series.messages += 1;
    if (state.name === 'unroutable') series.errors += 1;
    else if (kind === 'call' && this.source === 'firehose') this.enter(request, series);
  }

  private enter(request: SeenRequest, series: Series): void {
    series.inFlight += 1;
    this.open.set(request, series);
  }

  private ended(request: SeenRequest): void {
    const series = this.open.get(request);
    this.leave(request);
    // A late answer to a call that has expired: an error already, and of an interval that is over.
    if (!series) return;
    const { state, record } = request;
    if (state.name !== 'answered' && state.name !== 'unseen') series.errors += 1;
    if (!('at' in state)) return;
    series.answered += 1;
    series.latency ??= createHistogram({ lowest: 1, highest: LONGEST_US, figures: 2 });
    const us = Math.round((state.at - record.t) * MICROSECONDS);
    series.latency.record(Math.min(LONGEST_US, Math.max(1, us)));
  }

  private leave(request: SeenRequest): void {
    const series = this.open.get(request);
    if (series) series.inFlight -= 1;
    this.open.delete(request);
  }

  private seriesOf(facts: Series['facts']): Series {
    const key = sortKey(facts);
    const known = this.series.get(key);
    if (known) return known;
    if (this.series.size >= this.mostSeries && facts.topic !== REST) {
      return this.seriesOf({ exchange: REST, topic: REST, name: REST, kind: facts.kind });
    }
    const series: Series = { facts, messages: 0, answered: 0, errors: 0, inFlight: 0 };
    this.series.set(key, series);
    return series;
  }

  private rowOf({ facts, messages, answered, errors, inFlight, latency }: Series, seconds: number): TrafficRow {
    const row = { ...facts, messages, rate: messages / seconds };
    if (facts.kind === 'notification' || this.source === 'binding') return row;
    if (facts.kind !== 'call') return { ...row, errors };
    return {
      ...row,
      ...(latency !== undefined && answered > 0 && { p50Ms: msAt(latency, 50), p99Ms: msAt(latency, 99) }),
      answered,
      errors,
      inFlight,
    };
  }
}

function msAt(latency: RecordableHistogram, percentile: number): number {
  return latency.percentile(percentile) / MICROSECONDS;
}

function sortKey({ exchange, topic, name, kind }: Series['facts']): string {
  return JSON.stringify([topic, name, kind, exchange]);
}
