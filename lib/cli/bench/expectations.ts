import { UsageError } from '../exit-codes.js';
import { duration } from '../option-values.js';
import type { LoadTally } from './load-tally.js';

/** Something that is demanded of a load: `p99<50ms`. */
export interface Expectation {
  readonly text: string;
  readonly of: Measure;
  readonly sign: keyof typeof SIGNS;
  readonly value: number;
}

/** Milliseconds of a percentile; numbers of requests, or their share; requests a second. */
type Measure =
  | { readonly name: 'count' | 'share'; readonly which: keyof typeof COUNTS }
  | { readonly name: 'latency'; readonly which: 'max' | 'mean' | 'min' | number }
  | { readonly name: 'rate' };

/** An expectation, and the truth beside it. */
export interface ExpectationResult {
  readonly text: string;
  readonly actual: number;
  readonly unit: (typeof UNITS)[Measure['name']];
  readonly met: boolean;
}

const UNITS = { count: '', latency: 'ms', rate: '/s', share: '%' } as const;

const SIGNS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '=': (a: number, b: number) => a === b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
} as const;

const COUNTS = {
  answered: ({ outcomes }: LoadTally) => outcomes.answered,
  errors: ({ outcomes }: LoadTally) => outcomes.failed + outcomes['timed out'] + outcomes.unsent,
  failed: ({ outcomes }: LoadTally) => outcomes.failed,
  sent: ({ sent }: LoadTally) => sent,
  timeouts: ({ outcomes }: LoadTally) => outcomes['timed out'],
  unsent: ({ outcomes }: LoadTally) => outcomes.unsent,
} as const;

const KNOWN = `p50, p99.9 and so on, min, mean, max, rate, ${Object.keys(COUNTS).join(', ')}`;

/** `p99<50ms,errors=0,rate>=480/s,answered>=99.9%`. @throws UsageError */
export function expectations(text: string): readonly Expectation[] {
  return text.split(',').map((part) => {
    const parts = /^\s*([a-z]+[\d.]*)\s*(<=|>=|<|>|=)\s*(\S+)\s*$/.exec(part);
    if (!parts) throw new UsageError(`'${part}' is no expectation: write p99<50ms or errors=0`);
    const [, name = '', sign, value = ''] = parts;
    return { text: part.trim(), sign: sign as Expectation['sign'], ...measureOf(name, value) };
  });
}

/** @throws UsageError */
function measureOf(name: string, value: string): Pick<Expectation, 'of' | 'value'> {
  const percentile = /^p(\d{1,2}(?:\.\d{1,3})?)$/.exec(name)?.[1];
  if (percentile !== undefined) return { of: { name: 'latency', which: Number(percentile) }, value: duration(value) };
  if (name === 'max' || name === 'mean' || name === 'min') {
    return { of: { name: 'latency', which: name }, value: duration(value) };
  }
  if (name === 'rate') return { of: { name: 'rate' }, value: numberOf(value.replace(/\/s$/, ''), value) };
  if (!Object.hasOwn(COUNTS, name)) throw new UsageError(`'${name}' cannot be expected; known are ${KNOWN}`);
  const which = name as keyof typeof COUNTS;
  if (value.endsWith('%')) return { of: { name: 'share', which }, value: numberOf(value.slice(0, -1), value) };
  return { of: { name: 'count', which }, value: numberOf(value, value) };
}

function numberOf(text: string, whole: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new UsageError(`'${whole}' is no number`);
}

/** `perSecond`: requests that were answered. */
export function checked(all: readonly Expectation[], tally: LoadTally, perSecond: number): ExpectationResult[] {
  return all.map(({ text, of, sign, value }) => {
    const actual = actualOf(of, tally, perSecond);
    // Without an answer there is no latency that could be good.
    const isKnown = of.name !== 'latency' || tally.sent > 0;
    return { text, actual, unit: UNITS[of.name], met: isKnown && SIGNS[sign](actual, value) };
  });
}

function actualOf(of: Measure, tally: LoadTally, perSecond: number): number {
  switch (of.name) {
    case 'rate':
      return perSecond;
    case 'count':
      return COUNTS[of.which](tally);
    case 'share': {
      const all = tally.sent + tally.outcomes.unsent;
      return all === 0 ? 0 : (100 * COUNTS[of.which](tally)) / all;
    }
    case 'latency':
      return typeof of.which === 'number' ? tally.percentile(of.which) : tally.latencies[of.which];
  }
}
