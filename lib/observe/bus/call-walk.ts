import { counted } from '../../errors/counted.js';
import type { MessageBroker, QueueInspection } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { MessagingTimeout, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { textOf } from '../../errors/text-of.js';
import { pause } from '../../events/pause.js';
import { lookForAlarm } from './bus-look.js';

/** The stations of a call, in its order. */
export type WalkStep =
  | 'alarm'
  | 'answers'
  | 'backlog'
  | 'binding'
  | 'bus'
  | 'consumers'
  | 'exchange'
  | 'in time'
  | 'permission'
  | 'queue'
  | 'version';

/** One station, as it was seen. */
export interface WalkFinding {
  readonly step: WalkStep;
  /** `warn`: not what stops calls, and worth knowing. */
  readonly state: 'fail' | 'ok' | 'warn';
  readonly seen: string;
  /** What follows from it, and what to do; for a `fail`. */
  readonly cause?: string;
  readonly next?: string;
  /** Other servers of the topic that are consumed, where the management API was asked. */
  readonly servers?: readonly string[];
  /** Exchanges that the queue is bound to, where it is not bound to the one of the call and the management API was asked. */
  readonly boundTo?: readonly string[];
}

/** What the way of a call leads to. */
export interface WalkTarget {
  readonly exchange: string;
  readonly topic: string;
  readonly server?: string;
  /** The version that is called; absent: not known. */
  readonly version?: string;
}

/** Questions to a server; each rejects as a call does. */
export interface WalkProbes {
  /** A silent ping: resolves to its milliseconds. */
  ping(): Promise<number>;
  /** The highest versions that are served, one of each major, where the one that is called was refused. */
  versionsServed(): Promise<readonly string[]>;
}

const BACKLOG_LOOKS_MS = 1_000;
const MORE_PINGS = 4;

/**
 * Walks the way of a call, and stops at the first thing that is broken. Everything before `answers` only looks; the last steps
 * call a method that no server has.
 */
export async function* walkCall(
  broker: MessageBroker,
  target: WalkTarget,
  probes: WalkProbes,
): AsyncGenerator<WalkFinding> {
  const { exchange, topic, server } = target;
  const queue = server === undefined ? topic : `${topic}.${server}`;
  yield { step: 'bus', state: 'ok', seen: `${broker.url} is there and lets us in` };
  const looks = [() => alarm(broker), () => exchangeLook(broker, exchange), () => queueLook(broker, queue)];
  for (const look of looks) {
    const finding = await look();
    yield finding;
    if (finding.state === 'fail') return;
  }
  const seen = await broker.inspectQueue(queue);
  const consumers = consumersOf(queue, seen, server);
  yield consumers;
  if (consumers.state === 'fail') return;
  yield await backlog(broker, queue, seen!);
  yield* answers(target, queue, probes);
}

async function alarm(broker: MessageBroker): Promise<WalkFinding> {
  const acceptance = await lookForAlarm(broker);
  switch (acceptance.name) {
    case 'taken':
      return { step: 'alarm', state: 'ok', seen: 'the broker takes messages: no alarm' };
    case 'failed':
      if (acceptance.error instanceof MessagingTimeout) return unconfirmed(acceptance.error);
      return refused(acceptance.error, 'the broker does not take our message');
    case 'blocked':
      return {
        step: 'alarm',
        state: 'fail',
        seen: 'the broker has an alarm, and reads nothing from who publishes',
        cause: 'It is low on memory or disk. Requests and answers of all services wait until that is over.',
        next: 'look at its log, at `rabbitmqctl status`, and at queues that grow',
      };
  }
}

async function exchangeLook(broker: MessageBroker, exchange: string): Promise<WalkFinding> {
  try {
    if (await broker.hasExchange(exchange)) return { step: 'exchange', state: 'ok', seen: `'${exchange}' is there` };
  } catch (error) {
    return refused(error, `exchange '${exchange}' may not be looked at`);
  }
  return {
    step: 'exchange',
    state: 'fail',
    seen: `there is no exchange '${exchange}'`,
    cause: 'No server of it has started on this virtual host, or they run on another exchange (control_exchange).',
    next: 'check the virtual host of the URL, and --exchange',
  };
}

async function queueLook(broker: MessageBroker, queue: string): Promise<WalkFinding> {
  try {
    const seen = await broker.inspectQueue(queue);
    if (seen)
      return { step: 'queue', state: 'ok', seen: `'${queue}' is there, ${counted(seen.messages, 'message')} waiting` };
  } catch (error) {
    return refused(error, `queue '${queue}' may not be looked at`);
  }
  return {
    step: 'queue',
    state: 'fail',
    seen: `there is no queue '${queue}'`,
    cause: 'No server of it has started on this virtual host, or its queue was deleted. Calls to it reach nobody.',
    next: `start the service, or check the name: topics and servers are case-sensitive`,
  };
}

function consumersOf(queue: string, seen: QueueInspection | undefined, server: string | undefined): WalkFinding {
  const consumers = seen?.consumers ?? 0;
  if (consumers > 0) return { step: 'consumers', state: 'ok', seen: `${counted(consumers, 'consumer')} on '${queue}'` };
  const [who, other] =
    server === undefined ? ['every server of it', ''] : [`the service on ${server}`, ', or it runs under another name'];
  return {
    step: 'consumers',
    state: 'fail',
    seen: `nobody consumes '${queue}', ${counted(seen?.messages ?? 0, 'message')} waiting`,
    cause: `Calls wait in this queue and time out. Either ${who} is down${other}, or it has lost the broker.`,
    next: 'start the service; if its host is gone, delete the queue',
  };
}

async function backlog(broker: MessageBroker, queue: string, before: QueueInspection): Promise<WalkFinding> {
  if (before.messages === 0) return { step: 'backlog', state: 'ok', seen: 'nothing waits' };
  const begunAt = performance.now();
  await pause(BACKLOG_LOOKS_MS);
  const after = (await broker.inspectQueue(queue))?.messages ?? 0;
  const change = after - before.messages;
  // On a busy machine it is longer than was meant.
  const later = `after ${Math.round((performance.now() - begunAt) / 100) / 10} s`;
  if (change <= 0)
    return { step: 'backlog', state: 'ok', seen: `${counted(after, 'message')} waiting, ${-change} fewer ${later}` };
  return {
    step: 'backlog',
    state: 'warn',
    seen: `${counted(after, 'message')} waiting, ${change} more ${later}: the servers do not keep up`,
  };
}

async function* answers(
  { version, topic }: WalkTarget,
  queue: string,
  probes: WalkProbes,
): AsyncGenerator<WalkFinding> {
  const first = await outcomeOf(() => probes.ping());
  if ('error' in first && !(first.error instanceof UnsupportedVersion)) return yield unanswered(first.error, queue);
  yield { step: 'binding', state: 'ok', seen: `a message to '${queue}' was routed` };
  if ('error' in first) {
    const seen = `a server has answered that it does not serve ${version ?? 'the version that was asked for'}`;
    yield { step: 'answers', state: 'ok', seen };
    if (version === undefined) return yield unknownVersion;
    return yield refusedVersion(version, topic, await outcomeOf(() => probes.versionsServed()));
  }
  yield { step: 'answers', state: 'ok', seen: `a server has answered after ${first.value.toFixed(1)} ms` };
  if (version !== undefined) yield { step: 'version', state: 'ok', seen: `${version} is served` };
  const times = [first.value];
  for (let n = 0; n < MORE_PINGS; n++) {
    const more = await outcomeOf(() => probes.ping());
    if ('error' in more)
      return yield unanswered(more.error, queue, `${n + 1} of its pings were answered, and one was not`);
    times.push(more.value);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
  yield { step: 'in time', state: 'ok', seen: `half of ${times.length} answers within ${median.toFixed(1)} ms` };
}

type Outcome<Value> = { readonly error: unknown } | { readonly value: Value };

async function outcomeOf<Value>(ask: () => Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}

function refusedVersion(version: string, topic: string, served: Outcome<readonly string[]>): WalkFinding {
  const known = 'value' in served ? served.value : [];
  const highest = known.length > 0 ? `; the highest it serves: ${known.join(', ')}` : '';
  return {
    step: 'version',
    state: 'fail',
    seen: `version ${version} is not served by whoever has answered${highest}`,
    cause: 'Its callers are newer than the server, or mean another namespace. Each such call is an ERROR in its log.',
    next: `upgrade the server, pin the callers ([upgrade_levels]), or name the --namespace; other servers of '${topic}' may differ`,
  };
}

const unknownVersion: WalkFinding = {
  step: 'version',
  state: 'warn',
  seen: 'which version is called is not known; what was asked for instead is now an ERROR in the log of the service',
  next: 'name the --version that is called, and its --namespace',
};

function unanswered(error: unknown, queue: string, seen?: string): WalkFinding {
  if (error instanceof MessageUndeliverable) {
    return {
      step: 'binding',
      state: 'fail',
      seen: `the broker has returned a message for '${queue}': the queue is not bound to the exchange`,
      cause: 'Its servers run on another exchange, or the exchange was deleted and made anew without them.',
      next: 'check --exchange (`rabbitmqctl list_bindings` has what the queue is bound to); restart the service, which binds its queues when it starts',
    };
  }
  if (!(error instanceof MessagingTimeout)) return refused(error, 'the call was not sent');
  if (tellsNothingOfServers(error)) {
    return {
      step: 'answers',
      state: 'fail',
      seen: `no answer, and it is not known whether a server had the request: ${error.diagnosis?.summary ?? textOf(error)}`,
      cause: 'The broker, the way to it, or this process was too slow or was interrupted.',
      next: 'try again, with a longer --timeout',
    };
  }
  return {
    step: 'answers',
    state: 'fail',
    seen: seen ?? `'${queue}' is consumed, and nobody answers`,
    cause: 'A process has taken the request and does not get to it: it hangs, or all of its threads are busy.',
    next: 'look at the log and the threads of that process; compare with the other servers of the topic',
  };
}

/** True when the broker, or the way to it, was in between, or when nobody has looked. */
export function tellsNothingOfServers({ fault, diagnosis }: MessagingTimeout): boolean {
  return fault === 'broker' || diagnosis?.reason === 'unknown';
}

function unconfirmed(error: MessagingTimeout): WalkFinding {
  return {
    step: 'alarm',
    state: 'fail',
    seen: `the broker has not confirmed our message: ${textOf(error)}`,
    cause: 'It hangs, or is too busy. It has told of no alarm.',
    next: 'look at its log and its load, at `rabbitmqctl status`, and at queues that grow',
  };
}

function refused(error: unknown, what: string): WalkFinding {
  return {
    step: 'permission',
    state: 'fail',
    seen: `${what}: ${textOf(error)}`,
    cause: 'The user of the transport URL lacks a permission in this virtual host, or the connection was lost.',
    next: 'compare with `rabbitmqctl list_permissions -p VHOST`',
  };
}
