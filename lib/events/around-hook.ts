/**
 * Facts for a hook about the message that it wraps.
 *
 * @publicApi
 */
export interface HookedMessage {
  kind: 'call' | 'cast' | 'fanout' | 'notification' | 'request';
  exchange: string;
  routingKey: string;
  method?: string;
  msgId?: string;
  uniqueId?: string;
  /** Keys that travel beside the arguments; a hook may add keys before `next()`. */
  context: Record<string, unknown>;
}

/**
 * Foreign code around ours: tracing needs to wrap a send or a handler, not only to see it.
 *
 * @publicApi
 */
export interface AroundHook {
  /** Around the sending of one message; must return what `next` returns. */
  aroundSend?<T>(message: HookedMessage, next: () => T): T;
  /** Around the handler of one message; must return what `next` returns. */
  aroundProcess?<T>(message: HookedMessage, next: () => T): T;
}

/** Runs `next` inside all hooks, the first outermost. */
export function runAround<T>(
  hooks: readonly AroundHook[],
  side: 'aroundProcess' | 'aroundSend',
  message: HookedMessage,
  next: () => T,
): T {
  return hooks.reduceRight<() => T>((inner, hook) => {
    return () => (hook[side] ? hook[side](message, inner) : inner());
  }, next)();
}
