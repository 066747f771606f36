import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { MeasuredRequest, RequestOutcome } from './load-generator.js';

/** Milliseconds. */
export interface Latencies {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly 'p99.9': number;
  readonly max: number;
}

/** Microseconds: to an hour, with three digits. */
const HISTOGRAM = { lowest: 1, highest: 3_600_000_000, figures: 3 };
/** Of the picture: so many columns for a factor of ten. */
const COLUMNS_PER_DECADE = 8;
const BARS = ' ▏▁▂▃▄▅▆▇█';

/** The ends of all requests of a load, added up. */
export class LoadTally {
  readonly outcomes: Record<RequestOutcome, number> = {
    answered: 0,
    failed: 0,
    'timed out': 0,
    unsent: 0,
  };
  /** Why requests have failed, with how many did; the first kinds only. */
  readonly reasons = new Map<string, number>();
  private readonly latency: RecordableHistogram = createHistogram(HISTOGRAM);
  private readonly behind: RecordableHistogram = createHistogram(HISTOGRAM);
  private readonly columns = new Map<number, number>();

  /** A request that has timed out counts with the time that it has waited: left out, it would make the others look better. */
  add({ outcome, reason, latencyMs, behindMs }: MeasuredRequest): void {
    this.outcomes[outcome] += 1;
    if (reason !== undefined) this.addReason(reason);
    if (outcome === 'unsent') return;
    const micros = microsOf(latencyMs);
    this.latency.record(micros);
    this.behind.record(microsOf(behindMs));
    const column = Math.floor(Math.log10(micros) * COLUMNS_PER_DECADE);
    this.columns.set(column, (this.columns.get(column) ?? 0) + 1);
  }

  get sent(): number {
    const { answered, failed, 'timed out': timedOut } = this.outcomes;
    return answered + failed + timedOut;
  }

  get latencies(): Latencies {
    return latenciesOf(this.latency);
  }

  /** How late requests went out, in the open model. */
  get behindSchedule(): Latencies {
    return latenciesOf(this.behind);
  }

  /** Milliseconds: `50` for the median. */
  percentile(percent: number): number {
    return this.latency.count === 0 ? 0 : this.latency.percentile(percent) / 1_000;
  }

  private addReason(reason: string): void {
    if (this.reasons.size >= MOST_REASONS && !this.reasons.has(reason)) return;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  /** One line: latencies from left to right, by a logarithmic scale. */
  picture(): string {
    if (this.columns.size === 0) return '';
    const used = [...this.columns.keys()];
    const [first, last] = [Math.min(...used), Math.max(...used)];
    const highest = Math.max(...this.columns.values());
    const bars = Array.from({ length: last - first + 1 }, (_, at) => {
      const height = (this.columns.get(first + at) ?? 0) / highest;
      return BARS[Math.ceil(height * (BARS.length - 1))]!;
    });
    return `${msText(edgeOf(first))} ms ${bars.join('')} ${msText(edgeOf(last + 1))} ms`;
  }
}

const MOST_REASONS = 20;

function microsOf(ms: number): number {
  return Math.min(HISTOGRAM.highest, Math.max(HISTOGRAM.lowest, Math.round(ms * 1_000)));
}

function edgeOf(column: number): number {
  return 10 ** (column / COLUMNS_PER_DECADE) / 1_000;
}

function latenciesOf(histogram: RecordableHistogram): Latencies {
  const at = (percent: number): number => (histogram.count === 0 ? 0 : histogram.percentile(percent) / 1_000);
  const [min, mean, max] =
    histogram.count === 0 ? [0, 0, 0] : [histogram.min, histogram.mean, histogram.max].map((micros) => micros / 1_000);
  return { min: min!, mean: mean!, p50: at(50), p90: at(90), p99: at(99), 'p99.9': at(99.9), max: max! };
}

/** Three digits: `2.10`, `31.4`, `104`. */
export function msText(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toFixed(ms >= 10 ? 1 : 2);
}
