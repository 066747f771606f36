import type { MessageBroker } from '../../broker/broker.js';
import { PreconditionFailed } from '../../errors/delivery.errors.js';
import { MessagingTimeout } from '../../errors/rpc.errors.js';
import { chainOf, textOf } from '../../errors/text-of.js';
import { newUniqueId } from '../../wire/message-id.js';
import {
  type BindingDeclaration,
  type ExchangeDeclaration,
  type QueueDeclaration,
  replyQueueTopology,
  serverQueueName,
  type Topology,
} from '../../wire/topology.js';
import type { ManagementApi } from './management-api.js';
import {
  type ListedAlarm,
  type ListedBinding,
  type ListedConnection,
  type ListedConsumer,
  type ListedExchange,
  type ListedNode,
  type ListedQueue,
  type ClusterOverview,
  ManagementFailure,
  type UserPermissions,
} from './management-answers.js';
import { queueKinds } from './queue-kinds.js';
import { openTapQueue } from '../tap/tap-queue.js';

/** Something that was asked, and what is known of it; or why nothing is. */
export type Known<T> = { readonly value: T } | { readonly unknown: string };

/** A queue as AMQP shows it; undefined: there is none. */
export type QueueLook = Known<{ readonly messages: number; readonly consumers: number } | undefined>;

/** What the broker does with messages of ours: `blocked` while it has an alarm. */
export type Acceptance =
  | { readonly name: 'blocked' }
  | { readonly name: 'failed'; readonly error: unknown }
  | { readonly name: 'taken' };

/** The outcome of an attempt. */
export type TryOutcome =
  /** It exists with other properties; the broker's words. */
  | { readonly name: 'different'; readonly words: string }
  | { readonly name: 'failed'; readonly reason: string }
  | { readonly name: 'passed' }
  /** The broker's words. */
  | { readonly name: 'refused'; readonly words: string };

/** Something that needs a permission, and what became of it. */
export interface PermissionTry {
  /** `write to exchange 'nova'`. */
  readonly what: string;
  readonly outcome: TryOutcome;
}

/** Something that exists, declared as we are configured. */
export interface DeclarationTry {
  readonly declaration: ExchangeDeclaration | QueueDeclaration;
  readonly outcome: TryOutcome;
}

/** One listing of a virtual host by the management API. */
export interface BusListing {
  readonly overview: Known<ClusterOverview>;
  readonly nodes: Known<readonly ListedNode[]>;
  readonly alarms: Known<readonly ListedAlarm[]>;
  readonly queues: Known<readonly ListedQueue[]>;
  readonly exchanges: Known<readonly ListedExchange[]>;
  readonly bindings: Known<readonly ListedBinding[]>;
  readonly consumers: Known<readonly ListedConsumer[]>;
  readonly connections: Known<readonly ListedConnection[]>;
  /** Of the user whose transport URL it is; undefined: none. */
  readonly permissions: Known<UserPermissions | undefined>;
}

const ALARM_MS = 1_500;
const GIVE_UP_MS = 5_000;
const REFUSED = 403;

/**
 * Opens the connection that consumes. A broker that has an alarm reads nothing from the one that has published, and all looks
 * would wait there until the alarm is over. The returned function ends it.
 */
export async function openLookout(broker: MessageBroker): Promise<() => Promise<void>> {
  try {
    const { close } = await openTapQueue(broker, 'lookout', [], () => undefined);
    return close;
  } catch (error) {
    // The connection is there all the same.
    if (refusalIn(error) === undefined) throw error;
    return () => Promise.resolve();
  }
}

/**
 * Only those who publish are told of an alarm, and their messages are not confirmed then. A second message, which waits longer, tells
 * a broker that is slow from one that is blocked.
 */
export async function lookForAlarm(broker: MessageBroker): Promise<Acceptance> {
  let late: unknown;
  for (const giveUpMs of [ALARM_MS, GIVE_UP_MS]) {
    try {
      await broker.publish({ ...toNowhere(''), giveUpMs, expirationMs: giveUpMs });
      return { name: 'taken' };
    } catch (error) {
      if (broker.state === 'blocked') return { name: 'blocked' };
      if (!(error instanceof MessagingTimeout)) return { name: 'failed', error };
      late = error;
    }
  }
  return { name: 'failed', error: late };
}

export function lookAtQueue(broker: MessageBroker, name: string): Promise<QueueLook> {
  return known(() => broker.inspectQueue(name));
}

export function lookAtExchange(broker: MessageBroker, name: string): Promise<Known<boolean>> {
  return known(() => broker.hasExchange(name));
}

/**
 * Declares something that exists, which changes nothing: the broker compares. What differs in durability alone the library
 * uses as it is, and tells as an event.
 */
export async function declareAgain(
  broker: MessageBroker,
  declaration: ExchangeDeclaration | QueueDeclaration,
): Promise<DeclarationTry> {
  let mismatch: string | undefined;
  const unsubscribe = broker.events.watch((event) => {
    if (event.type !== 'durability-mismatch') return;
    if (event.kind === declaration.kind && event.name === declaration.name) mismatch = event.message;
  });
  try {
    const act = { ...toNowhere(''), topology: [declaration], retry: 1, giveUpMs: GIVE_UP_MS };
    const outcome = await outcomeOf(() => broker.publish(act));
    return { declaration, outcome: mismatch === undefined ? outcome : { name: 'different', words: mismatch } };
  } finally {
    unsubscribe();
  }
}

/**
 * Does what a client and a server do, with a queue of our own and keys that nobody has: publish, declare, bind, consume.
 * `exchange`: absent where there is none.
 */
export async function tryPermissions(broker: MessageBroker, exchange: string | undefined): Promise<PermissionTry[]> {
  const name = `reply_oslo-bus-${newUniqueId()}`;
  const topology = replyQueueTopology(name, broker.options);
  const tries: PermissionTry[] = [];
  const attempt = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    tries.push({ what, outcome: await outcomeOf(act) });
  };
  const publish = (message: object): Promise<void> =>
    broker.publish({ ...toNowhere(''), retry: 1, giveUpMs: GIVE_UP_MS, ...message });
  await attempt('write to the default exchange (amq.default)', () => publish({}));
  if (exchange !== undefined) await attempt(`write to exchange '${exchange}'`, () => publish(toNowhere(exchange)));
  await attempt("configure a queue 'reply_…'", () => publish({ topology }));
  if (tries.at(-1)?.outcome.name !== 'passed') return tries;
  try {
    await attempt("read from a queue 'reply_…'", () => consumeOnce(broker, name, topology));
    if (exchange === undefined) return tries;
    const { routingKey } = toNowhere(exchange);
    const binding: BindingDeclaration = { kind: 'binding', queue: name, exchange, routingKey };
    await attempt(`bind a queue to exchange '${exchange}' (read it, write the queue)`, () =>
      publish({ topology: [...topology, binding] }),
    );
  } finally {
    // Without a connection it expires by itself.
    await broker.deleteQueue(name).catch(() => undefined);
  }
  return tries;
}

/** All that the management API lists of a virtual host; what a user may not see is unknown. */
export async function listBus(api: ManagementApi, virtualHost: string, user: string): Promise<BusListing> {
  const [overview, nodes, alarms, permissions] = await Promise.all([
    known(() => api.overview()),
    known(() => api.nodes()),
    known(() => api.alarms()),
    known(() => api.permissions(virtualHost, user)),
  ]);
  const [queues, exchanges, bindings] = await Promise.all([
    known(() => api.queues(virtualHost)),
    known(() => api.exchanges(virtualHost)),
    known(() => api.bindings(virtualHost)),
  ]);
  const [consumers, connections] = await Promise.all([
    known(() => api.consumers(virtualHost)),
    known(() => api.connections(virtualHost)),
  ]);
  return { overview, nodes, alarms, permissions, queues, exchanges, bindings, consumers, connections };
}

/** The value, where it is known. */
export function valueOf<T>(known: Known<T> | undefined): T | undefined {
  return known && 'value' in known ? known.value : undefined;
}

/** The names of all servers of a topic whose own queue is consumed. */
export function consumedServers(topic: string, queues: readonly ListedQueue[]): string[] {
  const isConsumed = new Set(queues.filter(({ consumers }) => (consumers ?? 0) > 0).map(({ name }) => name));
  return serversOf(topic, queues).filter((server) => isConsumed.has(serverQueueName(topic, server)));
}

/** The broker counts the consumers of a new queue after some seconds only. */
export function uncountedServers(topic: string, queues: readonly ListedQueue[]): string[] {
  const isUncounted = new Set(queues.filter(({ consumers }) => consumers === null).map(({ name }) => name));
  return serversOf(topic, queues).filter((server) => isUncounted.has(serverQueueName(topic, server)));
}

/** By the queues that are theirs; the topic itself may have none. */
export function serversOf(topic: string, queues: readonly ListedQueue[]): string[] {
  const prefix = serverQueueName(topic, '');
  return [...queueKinds(queues.map(({ name }) => name))].flatMap(([name, kind]) => {
    const isServer = kind.kind === 'server' ? kind.topic === topic : kind.kind === 'other' && name.startsWith(prefix);
    return isServer ? name.slice(prefix.length) : [];
  });
}

async function known<T>(ask: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { unknown: error instanceof ManagementFailure ? error.message : textOf(error) };
  }
}

/** The broker's words, where a permission is missing. */
function refusalIn(error: unknown): string | undefined {
  const refusal = chainOf(error).find((one) => (one as { code?: unknown }).code === REFUSED);
  return refusal instanceof Error ? refusal.message : undefined;
}

async function outcomeOf(act: () => Promise<unknown>): Promise<TryOutcome> {
  try {
    await act();
    return { name: 'passed' };
  } catch (error) {
    if (error instanceof PreconditionFailed) return { name: 'different', words: error.message };
    const words = refusalIn(error);
    return words === undefined ? { name: 'failed', reason: textOf(error) } : { name: 'refused', words };
  }
}

async function consumeOnce(broker: MessageBroker, queue: string, topology: Topology): Promise<void> {
  const subscription = await broker.consume({
    topology,
    queues: [queue],
    prefetch: 1,
    giveUpMs: GIVE_UP_MS,
    onDeliveries: () => undefined,
  });
  await subscription.close();
}

/** A key that nobody has bound. */
function toNowhere(exchange: string): { exchange: string; routingKey: string; body: string } {
  return { exchange, routingKey: `oslo-bus.nowhere.${newUniqueId().slice(0, 8)}`, body: '{}' };
}
