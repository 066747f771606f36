import { counted } from '../../errors/counted.js';
import { shown } from '../../wire/shown.js';
import { type BusListing, type Known, valueOf } from '../bus/bus-look.js';
import { expiryOf, type ListedQueue, messagesIn } from '../bus/management-answers.js';
import { type QueueKind, queueKinds } from '../bus/queue-kinds.js';
import type { FindingCode } from './catalogue.js';
import { type Evidence, type ExaminedQueue, NO_MANAGEMENT } from './evidence.js';
import { Check, type CheckResult, firstOf, named } from './finding.js';
import { shownGrowth, tellUnseen, trendOf, twoLooks } from './server-findings.js';

/** As many in a queue that does not grow right now. */
const MANY = 1_000;

/** Checks for what is left where nobody takes it. */
export function leftoverFindings(evidence: Evidence): CheckResult[] {
  return [
    nobodyListens(evidence),
    orphans('REPLY-ORPHAN', 'reply', evidence),
    orphans('FANOUT-ORPHAN', 'fanout', evidence),
  ];
}

function nobodyListens({ queues, seconds }: Evidence): CheckResult {
  const check = new Check('NOTE-NOBODY');
  const notified = queues.filter(({ kind }) => kind.kind === 'notification');
  for (const queue of notified) {
    const trend = trendOf(queue, seconds);
    if (!trend) continue;
    const { before, after, growth } = trend;
    const isHeard = before.consumers > 0 || after.consumers > 0;
    if (isHeard || (growth <= 0 && after.messages < MANY)) {
      check.fine();
      continue;
    }
    const change = growth === 0 ? '' : `, ${shownGrowth(growth)}`;
    check.found({
      object: named('queue', queue.name),
      seen: `${counted(after.messages, 'message')}${change}, no consumer`,
      known: twoLooks(seconds),
      ...causeOf(queue, notified),
    });
  }
  if (!notified.some(({ after }) => valueOf(after))) check.unseen('no queue of notifications was found');
  tellUnseen(notified, check);
  return check.result;
}

/** Others may listen in pools, which does not empty this queue. */
function causeOf({ kind }: ExaminedQueue, all: readonly ExaminedQueue[]): { cause?: string; remedy?: string } {
  const { topic, pool } = kind as Extract<QueueKind, { kind: 'notification' }>;
  if (pool !== undefined) {
    return {
      cause: `It is the queue of a pool (of '${shown(topic)}'), and the listeners of that pool are gone.`,
      remedy: 'Start them again, or delete the queue.',
    };
  }
  const pools = all.filter((one) => one.kind.kind === 'notification' && one.kind.topic === topic && one.kind.pool);
  const heard = pools.filter(({ after }) => (valueOf(after)?.consumers ?? 0) > 0);
  if (heard.length === 0) return {};
  return {
    cause: `Listeners have pools of their own (${firstOf(heard.map(({ name }) => name))}): the shared queue fills beside them.`,
    remedy:
      'Delete or purge it now and then, set a policy with a length for it, or let one listener go without a pool.',
  };
}

/** Queues that are gone so soon need nobody. */
const SOON_MS = 180_000;

/** By the lists alone: a look over AMQP would let them live on. */
function orphans(code: FindingCode, kind: 'fanout' | 'reply', { listings }: Evidence): CheckResult {
  const check = new Check(code);
  const [before, after] = listings ?? [];
  const [queues, consumers] = [valueOf(after?.queues), valueOf(after?.consumers)];
  if (!before || !after || !queues || !consumers) {
    check.unseen(reasonOf(after?.queues) ?? reasonOf(after?.consumers) ?? NO_MANAGEMENT);
    return check.result;
  }
  const consumed = new Set(consumers.map(({ queue }) => queue));
  const kinds = kindsOf(after, queues);
  const first = new Map(valueOf(before.queues)?.map((queue) => [queue.name, queue.consumers]));
  const orphaned: ListedQueue[] = [];
  let unknown = 0;
  for (const queue of queues) {
    const { name } = queue;
    if (kinds.get(name)?.kind !== kind) continue;
    const isConsumed = (queue.consumers ?? 0) > 0 || consumed.has(name) || (first.get(name) ?? 0) > 0;
    // Our own of the last look expire soon. A queue that has come in between is nobody's orphan yet.
    const isTransient = (expiryOf(queue) ?? Infinity) <= SOON_MS || !first.has(name);
    if (isConsumed || isTransient || queue.exclusive) check.fine();
    else if (queue.consumers === null) unknown += 1;
    else orphaned.push(queue);
  }
  if (unknown > 0) check.unseen(`the consumers of ${counted(unknown, 'queue')} are not known`);
  if (orphaned.length > 0) check.found(orphansOf(orphaned));
  else if (unknown === 0) check.fine();
  return check.result;
}

function reasonOf(known: Known<unknown> | undefined): string | undefined {
  return known && 'unknown' in known ? known.unknown : undefined;
}

function orphansOf(queues: readonly ListedQueue[]) {
  const messages = counted(
    queues.reduce((sum, queue) => sum + messagesIn(queue), 0),
    'message',
  );
  const lasting = queues.filter((queue) => expiryOf(queue) === undefined);
  const expiring = queues.map(expiryOf).filter((one) => one !== undefined);
  const ends = [
    ...(expiring.length > 0
      ? [`${expiring.length} expire${expiring.length === 1 ? 's' : ''} ${lastOf(expiring)}`]
      : []),
    ...(lasting.length > 0 ? [`${lasting.length} never expire${lasting.length === 1 ? 's' : ''}`] : []),
  ];
  return {
    object: counted(queues.length, 'queue'),
    seen: `no consumer, ${messages}: ${firstOf(queues.map(({ name }) => name))}; ${ends.join(', ')}`,
    known: 'the management API has listed them at two looks',
  };
}

function lastOf(expiries: readonly number[]): string {
  const minutes = Math.max(...expiries) / 60_000;
  return minutes < 1 ? 'within a minute' : `within ${Math.ceil(minutes)} min of the last use`;
}

function kindsOf(listing: BusListing, queues: readonly ListedQueue[]): ReadonlyMap<string, QueueKind> {
  const names = queues.map(({ name }) => name);
  return queueKinds(
    names,
    valueOf(listing.exchanges)?.map(({ name }) => name),
    valueOf(listing.bindings),
  );
}
