import { setTimeout as pauseUnless } from 'node:timers/promises';
import type { MessageBroker } from '../../broker/broker.js';
import { NOTIFICATION_PRIORITIES } from '../../wire/notification.js';
import {
  controlExchangeTopology,
  type Declaration,
  fanoutExchangeTopology,
  notificationTopology,
  rpcServerTopology,
  serverQueueName,
} from '../../wire/topology.js';
import {
  type BusListing,
  declareAgain,
  type DeclarationTry,
  listBus,
  lookAtExchange,
  lookAtQueue,
  lookForAlarm,
  openLookout,
  type QueueLook,
  tryPermissions,
  valueOf,
} from '../bus/bus-look.js';
import { busFindings } from './bus-findings.js';
import { connectionFindings } from './connection-findings.js';
import type { Evidence, ExaminedQueue, PingOutcome, QueueOrigin, ServedVersion } from './evidence.js';
import type { CheckResult } from './finding.js';
import { leftoverFindings } from './leftover-findings.js';
import { serverFindings } from './server-findings.js';
import { topologyFindings } from './topology-findings.js';
import { expiryOf, messagesIn } from '../bus/management-answers.js';
import type { ManagementApi } from '../bus/management-api.js';
import { queueKinds } from '../bus/queue-kinds.js';

/** A topic, or one server of it. */
export interface PingTarget {
  readonly exchange: string;
  readonly topic: string;
  readonly server?: string;
}

/** What is to be examined, and how. */
export interface ExaminationRequest {
  readonly exchange: string;
  readonly virtualHost: string;
  /** Of the transport URL. */
  readonly user: string;
  /** True when our options are those of the services. */
  readonly isConfigured: boolean;
  /** `named`: they have to be there. None: those that the management API lists. */
  readonly topics: readonly { readonly topic: string; readonly origin: Exclude<QueueOrigin, 'listed'> }[];
  /** Of these topics; each has to be there for one of them. */
  readonly servers: readonly string[];
  readonly notificationTopics: readonly string[];
  /** Between the two looks. */
  readonly watchMs: number;
  readonly management: ManagementApi | undefined;
  /** Absent: nobody is to be pinged. */
  readonly ping: ((target: PingTarget) => Promise<PingOutcome>) | undefined;
  /** Absent: nobody is to be asked for versions. */
  readonly askVersion:
    | ((target: PingTarget & { readonly server: string }) => Promise<readonly ServedVersion[]>)
    | undefined;
}

/** Before it was looked at for the last time. */
type Subject = Pick<ExaminedQueue, 'kind' | 'name' | 'origin'>;

const MOST_QUEUES = 1_000;
const MOST_DECLARATIONS = 200;
const MOST_PINGS = 200;
const AT_A_TIME = 8;
const BLOCKED = 'the broker takes no messages';

/**
 * Looks at a bus twice, and gathers what was seen. Nothing that others use is changed; `signal` ends it.
 *
 * @throws MessageDeliveryFailure the connection was lost
 */
export async function gatherEvidence(
  broker: MessageBroker,
  request: ExaminationRequest,
  signal: AbortSignal,
): Promise<Evidence> {
  const closeLookout = await openLookout(broker);
  try {
    return await gathered(broker, request, signal);
  } finally {
    await closeLookout();
  }
}

async function gathered(broker: MessageBroker, request: ExaminationRequest, signal: AbortSignal): Promise<Evidence> {
  const { exchange, isConfigured, management, user, virtualHost, watchMs } = request;
  const list = (): Promise<BusListing> | undefined => management && listBus(management, virtualHost, user);
  const acceptance = await lookForAlarm(broker);
  const hasExchange = await lookAtExchange(broker, exchange);
  const firstListing = await list();
  const all = subjectsOf(request, firstListing);
  const subjects = all.slice(0, MOST_QUEUES);
  const begunAt = performance.now();
  const before = await lookAtAll(broker, subjects, firstListing);
  const takes = acceptance.name === 'taken';
  const own = valueOf(hasExchange) ? exchange : undefined;
  const permissions = takes ? { value: await tryPermissions(broker, own) } : { unknown: BLOCKED };
  const expiring = expiringLooks(firstListing);
  const lasting = subjects.filter(({ name }) => !expiring.has(name));
  const compared = takes ? { value: await compareAll(broker, request, lasting, before) } : { unknown: BLOCKED };
  await pauseUnless(Math.max(0, watchMs - (performance.now() - begunAt)), undefined, { signal });
  const listing = await list();
  const seconds = Math.round(performance.now() - begunAt) / 1_000;
  const after = await lookAtAll(broker, subjects, listing);
  signal.throwIfAborted();
  const listed = new Map(valueOf(listing?.queues)?.map((queue) => [queue.name, queue]));
  const queues = subjects.map((subject) => ({
    ...subject,
    before: before.get(subject.name)!,
    after: after.get(subject.name)!,
    listed: listed.get(subject.name),
  }));
  const exchangeOf = exchangesOf(exchange, listing);
  return {
    ...{ exchange, virtualHost, user, isConfigured, seconds, hasExchange, acceptance, permissions },
    declarations: compared,
    queues: withServers(queues, request),
    leftOut: all.length - subjects.length,
    pings: takes ? await pingAll(request, queues, exchangeOf, signal) : { unknown: BLOCKED },
    versions: await versionsOf(request, queues, exchangeOf),
    listings: firstListing && listing && [firstListing, listing],
  };
}

/** What the evidence means, code by code. */
export function judge(evidence: Evidence): CheckResult[] {
  return [
    ...busFindings(evidence),
    ...topologyFindings(evidence),
    ...serverFindings(evidence),
    ...leftoverFindings(evidence),
    ...connectionFindings(evidence),
  ];
}

// ---- which queues ---------------------------------------------------------------------------------

function subjectsOf({ topics, servers, notificationTopics }: ExaminationRequest, listing: BusListing | undefined) {
  const subjects = new Map<string, Subject>();
  const add = (subject: Subject): void => {
    if (!subjects.has(subject.name)) subjects.set(subject.name, subject);
  };
  for (const { topic, origin } of topics) {
    add({ name: topic, kind: { kind: 'topic', topic }, origin });
    for (const server of servers) {
      // Of several topics one may be meant.
      const isSure = topics.length === 1;
      const kind = { kind: 'server' as const, topic, server };
      add({ name: serverQueueName(topic, server), kind, origin: isSure ? 'named' : 'conventional' });
    }
  }
  for (const topic of notificationTopics) {
    for (const priority of NOTIFICATION_PRIORITIES) {
      add({ name: `${topic}.${priority}`, kind: { kind: 'notification', topic }, origin: 'conventional' });
    }
  }
  const wanted = new Set(topics.map(({ topic }) => topic));
  for (const subject of listedSubjects(listing)) {
    if (wanted.size === 0 || subject.kind.kind === 'notification' || wanted.has(subject.kind.topic)) add(subject);
  }
  return [...subjects.values()];
}

function listedSubjects(listing: BusListing | undefined): Subject[] {
  const queues = (valueOf(listing?.queues) ?? []).filter(({ exclusive }) => !exclusive);
  const exchanges = valueOf(listing?.exchanges)?.map(({ name }) => name);
  const names = queues.map(({ name }) => name);
  return [...queueKinds(names, exchanges, valueOf(listing?.bindings))].flatMap(([name, kind]): Subject[] => {
    const isShared = kind.kind === 'topic' || kind.kind === 'server' || kind.kind === 'notification';
    return isShared ? [{ name, kind, origin: 'listed' }] : [];
  });
}

/** A server that has a queue for none of several topics is missing at each of them. */
function withServers(queues: readonly ExaminedQueue[], { servers, topics }: ExaminationRequest): ExaminedQueue[] {
  if (topics.length < 2) return [...queues];
  const there = new Set(
    queues.flatMap(({ kind, after }) => (kind.kind === 'server' && valueOf(after) ? kind.server : [])),
  );
  const missing = new Set(servers.filter((server) => !there.has(server)));
  return queues.map((queue) =>
    queue.kind.kind === 'server' && missing.has(queue.kind.server) ? { ...queue, origin: 'named' } : queue,
  );
}

// ---- what is done -----------------------------------------------------------------------------------

async function lookAtAll(
  broker: MessageBroker,
  subjects: readonly { name: string }[],
  listing: BusListing | undefined,
): Promise<Map<string, QueueLook>> {
  const looks = new Map<string, QueueLook>(expiringLooks(listing));
  const left = subjects.filter(({ name }) => !looks.has(name));
  await severalAtATime(left, async ({ name }) => void looks.set(name, await lookAtQueue(broker, name)));
  return looks;
}

/**
 * Queues that expire when nobody has used them for a time, as the management API lists them. To the broker a look or a
 * declaration over AMQP is a use: such a queue would live as long as somebody runs doctor often enough.
 */
function expiringLooks(listing: BusListing | undefined): ReadonlyMap<string, QueueLook> {
  const expiring = (valueOf(listing?.queues) ?? []).filter((queue) => {
    return expiryOf(queue) !== undefined && queue.consumers === 0;
  });
  return new Map(expiring.map((queue) => [queue.name, { value: { messages: messagesIn(queue), consumers: 0 } }]));
}

/** Only what exists is declared: declaring makes whatever is missing. */
async function compareAll(
  broker: MessageBroker,
  request: ExaminationRequest,
  subjects: readonly Subject[],
  looks: ReadonlyMap<string, QueueLook>,
): Promise<DeclarationTry[]> {
  const { exchange, isConfigured } = request;
  const { options } = broker;
  const tries: DeclarationTry[] = [];
  const compare = async (topology: readonly Declaration[], name: string): Promise<void> => {
    const declaration = topology.find((one) => one.kind !== 'binding' && one.name === name);
    if (!declaration || declaration.kind === 'binding' || tries.length >= MOST_DECLARATIONS) return;
    tries.push(await declareAgain(broker, declaration));
  };
  if (await isThere(broker, exchange)) await compare(controlExchangeTopology(exchange, options), exchange);
  for (const { name, kind, origin } of subjects) {
    // Of services that nobody has named the options are not known.
    if (origin === 'listed' && !isConfigured) continue;
    if (kind.kind === 'topic') {
      const [fanout] = fanoutExchangeTopology(kind.topic, options) as [Extract<Declaration, { kind: 'exchange' }>];
      if (await isThere(broker, fanout.name)) await compare([fanout], fanout.name);
    }
    if (valueOf(looks.get(name)) !== undefined)
      await compare(topologyOf({ name, kind, origin }, exchange, broker), name);
  }
  return tries;
}

async function isThere(broker: MessageBroker, exchange: string): Promise<boolean> {
  return valueOf(await lookAtExchange(broker, exchange)) === true;
}

function topologyOf({ name, kind }: Subject, exchange: string, { options }: MessageBroker): readonly Declaration[] {
  switch (kind.kind) {
    case 'notification': {
      if (kind.pool !== undefined) return [];
      return notificationTopology(
        { exchange, topic: kind.topic, priority: name.slice(kind.topic.length + 1) },
        options,
      );
    }
    case 'topic':
    case 'server': {
      const server = kind.kind === 'server' ? kind.server : 'none';
      return rpcServerTopology({ exchange, topic: kind.topic, server, fanoutQueue: 'none' }, options);
    }
  }
}

/** The exchange that leads to a queue; undefined: it is not known. */
type ExchangeOf = (queue: ExaminedQueue) => string | undefined;

/** Who names a topic means those of the exchange; what is listed may be of another. */
function exchangesOf(exchange: string, listing: BusListing | undefined): ExchangeOf {
  const bindings = valueOf(listing?.bindings)?.filter(({ queue, routingKey }) => queue === routingKey);
  const byQueue = new Map(bindings?.map((one) => [one.queue, one.exchange]));
  return ({ name, origin }) => (origin === 'listed' ? byQueue.get(name) : exchange);
}

async function pingAll(
  { ping }: ExaminationRequest,
  queues: readonly ExaminedQueue[],
  exchangeOf: ExchangeOf,
  signal: AbortSignal,
): Promise<Evidence['pings']> {
  if (!ping) return { unknown: '--no-ping' };
  const outcomes = new Map<string, PingOutcome>();
  const consumed = queues.filter(({ kind, after }) => {
    return kind.kind !== 'notification' && (valueOf(after)?.consumers ?? 0) > 0;
  });
  for (const { name } of consumed.slice(MOST_PINGS)) {
    outcomes.set(name, { name: 'failed', reason: `more than ${MOST_PINGS} queues` });
  }
  await severalAtATime(consumed.slice(0, MOST_PINGS), async (queue) => {
    const { name, kind } = queue;
    const exchange = exchangeOf(queue);
    signal.throwIfAborted();
    if (exchange === undefined) outcomes.set(name, { name: 'failed', reason: 'its exchange is not known' });
    else
      outcomes.set(
        name,
        await ping({ exchange, topic: kind.topic, ...(kind.kind === 'server' && { server: kind.server }) }),
      );
  });
  return { value: outcomes };
}

async function versionsOf(
  { askVersion }: ExaminationRequest,
  queues: readonly ExaminedQueue[],
  exchangeOf: ExchangeOf,
): Promise<readonly ServedVersion[] | undefined> {
  if (!askVersion) return undefined;
  const versions: ServedVersion[] = [];
  // One after another: each leaves lines in a log.
  for (const queue of queues) {
    const exchange = exchangeOf(queue);
    if (queue.kind.kind !== 'server' || exchange === undefined) continue;
    if ((valueOf(queue.after)?.consumers ?? 0) === 0) continue;
    const { topic, server } = queue.kind;
    versions.push(...(await askVersion({ exchange, topic, server })));
  }
  return versions;
}

async function severalAtATime<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
