import type { RoundResult } from './round.js';
import { addTally, emptyTally } from './tally.js';

/** All rounds of one fault. */
export interface FaultRow {
  fault: string;
  results: readonly RoundResult[];
}

const COLUMNS = [
  'fault',
  'n',
  'calls',
  'answered',
  'failed clearly',
  'unknown',
  're-published, twice',
  'redelivered, twice',
  'notifications',
  'lost',
  'casts lost',
  'recovery p50/p99 ms',
  'noticed ms',
] as const;

/** The table of the bench, as Markdown. */
export function faultTable(rows: readonly FaultRow[]): string {
  const lines = rows.map(cells);
  return [COLUMNS, COLUMNS.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function cells({ fault, results }: FaultRow): (number | string)[] {
  const sum = results.map(({ tally }) => tally).reduce(addTally, emptyTally());
  const recoveries = sorted(results.map(({ recoveryMs }) => recoveryMs));
  const noticed = sorted(results.map(({ noticedMs }) => noticedMs));
  return [
    fault,
    results.length,
    sum.calls,
    sum.answered,
    sum.failedClearly,
    sum.unknown,
    sum.republishedTwice,
    sum.redeliveredTwice,
    sum.notificationsConfirmed,
    sum.notificationsLost,
    sum.castsLost,
    recoveries.length > 0 ? `${quantile(recoveries, 0.5)} / ${quantile(recoveries, 0.99)}` : '–',
    noticed.length > 0 ? quantile(noticed, 0.99) : '–',
  ];
}

function sorted(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
}

function quantile(values: readonly number[], part: number): number {
  return Math.round(values[Math.min(values.length - 1, Math.floor(values.length * part))]!);
}
