import type { Item, Ledger } from './ledger.js';

/** How the work of one round, or of many, has ended. */
export interface Tally {
  calls: number;
  answered: number;
  failedClearly: number;
  /** Ended without an answer: its caller cannot know whether it ran. */
  unknown: number;
  republishedTwice: number;
  redeliveredTwice: number;
  /** Ran twice in a way that nothing excuses. */
  unexplainedTwice: number;
  castsConfirmed: number;
  /** Confirmed, but kept by a queue that does not survive. */
  castsLost: number;
  notificationsConfirmed: number;
  notificationsLost: number;
}

export function emptyTally(): Tally {
  return {
    calls: 0,
    answered: 0,
    failedClearly: 0,
    unknown: 0,
    republishedTwice: 0,
    redeliveredTwice: 0,
    unexplainedTwice: 0,
    castsConfirmed: 0,
    castsLost: 0,
    notificationsConfirmed: 0,
    notificationsLost: 0,
  };
}

export function addTally(sum: Tally, more: Tally): Tally {
  const keys = Object.keys(sum) as (keyof Tally)[];
  return Object.fromEntries(keys.map((key) => [key, sum[key] + more[key]])) as unknown as Tally;
}

export function tallyOf(ledger: Ledger): Tally {
  const [calls, casts, notifications] = [ledger.of('call'), ledger.of('cast'), ledger.of('notification')];
  const failed = calls.filter(({ ended }) => ended?.outcome === 'failed');
  // What says that it was not sent, and ran, was not clear.
  const isClear = ({ ended, ran }: Item): boolean => ended?.clear === true && ran.length === 0;
  const confirmed = (items: Item[]): Item[] => items.filter(({ ended }) => ended?.outcome === 'confirmed');
  return {
    calls: calls.length,
    answered: count(calls, ({ ended }) => ended?.outcome === 'answered'),
    failedClearly: count(failed, isClear),
    unknown: calls.length - count(calls, ({ ended }) => ended?.outcome === 'answered') - count(failed, isClear),
    ...runTwice(ledger),
    castsConfirmed: confirmed(casts).length,
    castsLost: count(confirmed(casts), ({ ran }) => ran.length === 0),
    notificationsConfirmed: confirmed(notifications).length,
    notificationsLost: count(confirmed(notifications), ({ heard }) => heard.length === 0),
  };
}

/**
 * A second run is excused by a `redelivered` mark of either, as a process that was held up runs the first delivery last;
 * or by a request that its client says it published again.
 */
function runTwice(ledger: Ledger): Pick<Tally, 'redeliveredTwice' | 'republishedTwice' | 'unexplainedTwice'> {
  let republications = ledger.events.filter(
    ({ type, who }) => type === 'message-republished' && who.startsWith('caller/rpc'),
  ).length;
  const twice = { redeliveredTwice: 0, republishedTwice: 0, unexplainedTwice: 0 };
  for (const { sent, ran } of ledger.of('call', 'cast', 'fanout')) {
    const seen = new Set<string>();
    const placeOf = ({ server }: { server: string }): string => (sent.work === 'fanout' ? server : '');
    const marked = new Set(ran.filter(({ redelivered }) => redelivered).map(placeOf));
    for (const run of ran.toSorted((a, b) => a.at - b.at)) {
      const place = placeOf(run);
      if (!seen.has(place)) seen.add(place);
      else if (run.redelivered || marked.has(place)) twice.redeliveredTwice += 1;
      else if (republications-- > 0) twice.republishedTwice += 1;
      else twice.unexplainedTwice += 1;
    }
  }
  return twice;
}

function count(items: Item[], fits: (item: Item) => boolean): number {
  return items.filter(fits).length;
}
