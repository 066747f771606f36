import type { Target } from '../wire/target.js';
import type { HookedPart } from './hooked-part.js';

/**
 * Facts for a hook about the message that it wraps.
 *
 * @publicApi
 */
export interface HookedMessage {
  /** `request`: one that is handled here. A notification is one that is sent, or heard. */
  kind: 'call' | 'cast' | 'fanout' | 'notification' | 'request';
  /** The bus that carries it; the embedded one is RabbitMQ's likeness. */
  bus: 'kafka' | 'rabbitmq';
  exchange: string;
  routingKey: string;
  /** The whole address; a notification has an exchange and a topic. */
  target: Target;
  /** Of RPC: the method. Of notifications: the event type, as `eventType`. */
  method?: string;
  /** Seconds that a call waits for its answer. */
  timeout?: number;
  msgId?: string;
  uniqueId?: string;
  /** Of a request: the class whose method handles it, where there is one. */
  endpoint?: string;
  /** Of notifications. */
  eventType?: string;
  /** Of notifications, in lower case. */
  priority?: string;
  /** Of notifications. */
  publisherId?: string;
  /** Of notifications: the id that is the same on every topic. */
  messageId?: string;
  /** Of notifications that are handed over together: all of them. The other facts are those of the first. */
  batch?: readonly HookedMessage[];
  /** Keys that travel beside the arguments; a hook may add keys before `next()`. */
  context: Record<string, unknown>;
}

/**
 * Foreign code around ours: tracing needs to wrap a send or a handler, not only to see it. One object may be a hook of many
 * clients, servers, notifiers and listeners.
 *
 * @publicApi
 */
export interface AroundHook {
  /**
   * Around a whole call, from before it is sent to its answer: what it rejects with is what the caller gets, a
   * `MessagingTimeout` with its diagnosis. A call that nobody waits for any more rejects with an `AbortError`. What is added
   * to the `context` is sent. Must return what `next` returns, and settle with it.
   */
  aroundCall?<T>(message: HookedMessage, next: () => Promise<T>): Promise<T>;
  /** Around the sending of one message, of a call its request; must return what `next` returns. */
  aroundSend?<T>(message: HookedMessage, next: () => T): T;
  /** Around the handler of one message; must return what `next` returns. */
  aroundProcess?<T>(message: HookedMessage, next: () => T): T;
  /**
   * Told once of each client, server, notifier and listener that has this hook, when it is made: what metrics are read
   * from. What it returns is called when that is closed.
   */
  attach?(part: HookedPart): (() => void) | undefined;
}

type Around = (message: HookedMessage, next: () => unknown) => unknown;

/** Runs `next` inside all hooks, the first outermost. */
export function runAround<T>(
  hooks: readonly AroundHook[],
  side: 'aroundCall' | 'aroundProcess' | 'aroundSend',
  message: HookedMessage,
  next: () => T,
): T {
  return hooks.reduceRight<() => T>((inner, hook) => {
    return () => (hook[side] ? ((hook[side].bind(hook) as Around)(message, inner) as T) : inner());
  }, next)();
}

/** Shows a part to all hooks; the returned function takes it away again. */
export function attachHooks(hooks: readonly AroundHook[], part: HookedPart): () => void {
  const detach = hooks.map((hook) => hook.attach?.(part));
  return () => {
    for (const one of detach.splice(0)) one?.();
  };
}
