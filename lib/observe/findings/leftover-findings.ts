import { shown } from '../../wire/shown.js';
import { type BusListing, valueOf } from '../bus/bus-look.js';
import type { ListedQueue } from '../bus/management-answers.js';
import { type QueueKind, queueKinds } from '../bus/queue-kinds.js';
import type { FindingCode } from './catalogue.js';
import { type Evidence, type ExaminedQueue, NO_MANAGEMENT } from './evidence.js';
import { Check, type CheckResult, counted, firstOf, named } from './finding.js';
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

/** A queue without a consumer, and what waits in it. */
interface Orphan {
  readonly queue: ListedQueue;
  readonly messages: number;
}

function orphans(code: FindingCode, kind: 'fanout' | 'reply', { listings, unconsumed }: Evidence): CheckResult {
  const check = new Check(code);
  const [before, after] = listings ?? [];
  const queues = after && valueOf(after.queues);
  if (!before || !queues) {
    check.unseen(after && 'unknown' in after.queues ? after.queues.unknown : NO_MANAGEMENT);
    return check.result;
  }
  const kinds = kindsOf(after, queues);
  const first = new Map(valueOf(before.queues)?.map((queue) => [queue.name, queue.consumers]));
  const orphaned: Orphan[] = [];
  let unknown = 0;
  for (const queue of queues) {
    const { name } = queue;
    if (kinds.get(name)?.kind !== kind) continue;
    const look = unconsumed.get(name);
    // Our own of the last look are among these.
    if ((expiryOf(queue) ?? Infinity) <= SOON_MS) check.fine();
    // A queue that has come in between is nobody's orphan yet.
    else if ((queue.consumers ?? 0) > 0 || queue.exclusive || (first.get(name) ?? 0) > 0 || !first.has(name))
      check.fine();
    else if (!look || 'unknown' in look) unknown += 1;
    else if (look.value?.consumers === 0) orphaned.push({ queue, messages: look.value.messages });
    else check.fine();
  }
  if (unknown > 0) check.unseen(`the consumers of ${counted(unknown, 'queue')} are not known`);
  if (orphaned.length > 0) check.found(orphansOf(orphaned));
  else if (unknown === 0) check.fine();
  return check.result;
}

/** A list of the broker's lags behind: how many messages there are is what AMQP says. */
function orphansOf(orphaned: readonly Orphan[]) {
  const messages = counted(
    orphaned.reduce((sum, one) => sum + one.messages, 0),
    'message',
  );
  const queues = orphaned.map(({ queue }) => queue);
  const lasting = queues.filter((queue) => expiryOf(queue) === undefined);
  const expiring = queues.map(expiryOf).filter((one) => one !== undefined);
  const idle = queues.map(({ idleSince }) => idleSince).filter((one) => one !== null);
  const ends = [
    ...(idle.length > 0 ? [`idle since ${shown(idle.toSorted()[0], 40)}${queues.length > 1 ? ' and later' : ''}`] : []),
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

/** Milliseconds that it lives without a consumer. */
function expiryOf({ arguments: own, policy }: ListedQueue): number | undefined {
  const [first, second] = [own['x-expires'], policy['expires']].filter((one) => typeof one === 'number');
  return first === undefined ? second : Math.min(first, second ?? first);
}

function lastOf(expiries: readonly number[]): string {
  const minutes = Math.max(...expiries) / 60_000;
  return minutes < 1 ? 'within a minute' : `within ${Math.ceil(minutes)} min after its last use`;
}

function kindsOf(listing: BusListing, queues: readonly ListedQueue[]): ReadonlyMap<string, QueueKind> {
  const names = queues.map(({ name }) => name);
  return queueKinds(
    names,
    valueOf(listing.exchanges)?.map(({ name }) => name),
    valueOf(listing.bindings),
  );
}
