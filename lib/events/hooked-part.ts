import type { EventChannel } from './event-channel.js';

/**
 * A bus as a hook sees it; parts on the same connections have the same object.
 *
 * @publicApi
 */
export interface HookedBus {
  /** The transport URL, passwords masked. */
  readonly url: string;
  readonly state: 'blocked' | 'closed' | 'connected' | 'connecting';
  /** Messages that were given to the bus and have no outcome yet, and the bytes that are held for them. */
  readonly inFlight: Readonly<
    Record<'notification' | 'request', { readonly messages: number; readonly bytes: number }>
  >;
}

interface AnyPart {
  /** What the part reports, and its bus. */
  readonly events: EventChannel;
}

/**
 * A client as a hook sees it. Clients on one bus share a reply queue, and what is counted of it: `replies` is the same object.
 *
 * @publicApi
 */
export interface HookedClient extends AnyPart {
  readonly kind: 'client';
  readonly bus: HookedBus;
  readonly replies: {
    readonly pendingCalls: number;
    readonly counters: Readonly<
      Record<'lateReplies' | 'malformedReplies' | 'repeatedReplies' | 'unknownReplies', number>
    >;
  };
}

/**
 * A server as a hook sees it.
 *
 * @publicApi
 */
export interface HookedServer extends AnyPart {
  readonly kind: 'server';
  readonly bus: HookedBus;
  readonly server: string;
  readonly topics: readonly string[];
  readonly counters: Readonly<Record<'duplicates' | 'redelivered' | 'rejected', number>>;
  /** Handlers that may run at a time, that run, and requests that wait in this process. */
  readonly load: { readonly slots: number; readonly running: number; readonly waiting: number };
}

/**
 * A notifier as a hook sees it; one whose drivers need no bus has none.
 *
 * @publicApi
 */
export interface HookedNotifier extends AnyPart {
  readonly kind: 'notifier';
  readonly bus: HookedBus | undefined;
  /** Notifications that are not out yet. */
  readonly pending: number;
}

/**
 * A listener as a hook sees it.
 *
 * @publicApi
 */
export interface HookedListener extends AnyPart {
  readonly kind: 'listener';
  readonly bus: HookedBus;
  readonly counters: Readonly<Record<'duplicates' | 'redelivered' | 'rejected', number>>;
  /** Notifications of each queue that are in this process, and whose listeners have not all ended. */
  readonly held: ReadonlyMap<string, number>;
}

/**
 * One of those that have hooks, as `attach` is shown it. Its numbers are those of the moment in which they are read.
 *
 * @publicApi
 */
export type HookedPart = HookedClient | HookedListener | HookedNotifier | HookedServer;
