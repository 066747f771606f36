import { NOTIFICATION_PRIORITIES } from '../../wire/notification.js';
import { fanoutExchangeName } from '../../wire/topology.js';
import type { ListedBinding } from './management-answers.js';
import { TAP_PREFIX } from '../tap/tap-queue.js';

/** The purpose of a queue, as far as oslo.messaging's names tell. */
export type QueueKind =
  | { readonly kind: 'fanout'; readonly topic: string }
  /** `pool`: of listeners that share it under a name of their own. */
  | { readonly kind: 'notification'; readonly topic: string; readonly pool?: string }
  | { readonly kind: 'other' }
  | { readonly kind: 'reply' }
  | { readonly kind: 'server'; readonly topic: string; readonly server: string }
  | { readonly kind: 'tap' }
  | { readonly kind: 'topic'; readonly topic: string };

const PRIORITIES = new Set<string>(NOTIFICATION_PRIORITIES);
const FANOUT = /^(.+)_fanout(?:_.+)?$/s;

/**
 * What each queue of a virtual host is for. `exchanges`, `bindings`: as far as they are known; a queue that neither they nor
 * other queues tell of is `other`.
 */
export function queueKinds(
  queues: readonly string[],
  exchanges: readonly string[] = [],
  bindings: readonly ListedBinding[] = [],
): ReadonlyMap<string, QueueKind> {
  const kinds = new Map(queues.map((name) => [name, kindByName(name)]));
  const shared = new Set(queues.filter((name) => kinds.get(name)?.kind === 'other'));
  const known = new Set(exchanges);
  const fanouts = new Set([...kinds.values()].flatMap((kind) => (kind.kind === 'fanout' ? kind.topic : [])));
  const withFanout = new Set([...shared].filter((name) => fanouts.has(name) || known.has(fanoutExchangeName(name))));
  const topics = new Set(withFanout);
  for (const { queue, routingKey } of bindings) {
    if (!shared.has(queue)) continue;
    const notified = notificationTopicOf(routingKey);
    if (queue === routingKey) topics.add(queue);
    else if (notified !== undefined) kinds.set(queue, { kind: 'notification', topic: notified, pool: queue });
  }
  for (const name of shared) {
    const prefixes = prefixesOf(name).filter((prefix) => shared.has(prefix));
    // cinder-volume.host@backend is a server and has servers.
    const topic = prefixes.findLast((prefix) => withFanout.has(prefix)) ?? prefixes[0];
    if (topic !== undefined) kinds.set(name, { kind: 'server', topic, server: name.slice(topic.length + 1) });
    else if (topics.has(name)) kinds.set(name, { kind: 'topic', topic: name });
  }
  // A queue is a topic's as soon as a server of it has one.
  for (const kind of [...kinds.values()]) {
    if (kind.kind === 'server' && kinds.get(kind.topic)?.kind === 'other') {
      kinds.set(kind.topic, { kind: 'topic', topic: kind.topic });
    }
  }
  return kinds;
}

function kindByName(name: string): QueueKind {
  if (name.startsWith(TAP_PREFIX)) return { kind: 'tap' };
  if (name.startsWith('reply_')) return { kind: 'reply' };
  const fanout = FANOUT.exec(name)?.[1];
  if (fanout !== undefined) return { kind: 'fanout', topic: fanout };
  const topic = notificationTopicOf(name);
  return topic === undefined ? { kind: 'other' } : { kind: 'notification', topic };
}

/** `notifications` of `notifications.info`. */
function notificationTopicOf(key: string): string | undefined {
  const dot = key.lastIndexOf('.');
  return dot > 0 && PRIORITIES.has(key.slice(dot + 1)) ? key.slice(0, dot) : undefined;
}

/** What stands before each of the dots, the shortest first. */
function prefixesOf(name: string): string[] {
  return [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index));
}
