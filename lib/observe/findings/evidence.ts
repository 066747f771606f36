import type { Acceptance, BusListing, DeclarationTry, Known, PermissionTry, QueueLook } from '../bus/bus-look.js';
import type { ListedQueue } from '../bus/management-answers.js';
import type { QueueKind } from '../bus/queue-kinds.js';

/** Why a queue is looked at: somebody has named it, services of that name usually have it, or the broker has listed it. */
export type QueueOrigin = 'conventional' | 'listed' | 'named';

/** A queue at both looks. */
export interface ExaminedQueue {
  readonly name: string;
  readonly kind: Extract<QueueKind, { kind: 'notification' | 'server' | 'topic' }>;
  readonly origin: QueueOrigin;
  readonly before: QueueLook;
  readonly after: QueueLook;
  /** As the management API listed it last. */
  readonly listed: ListedQueue | undefined;
}

/** The outcome of a silent ping. */
export type PingOutcome =
  /** Any answer: with another version, too. */
  | { readonly name: 'answered' }
  | { readonly name: 'failed'; readonly reason: string }
  | { readonly name: 'silent'; readonly timeoutMs: number }
  /** The broker has returned it. */
  | { readonly name: 'unrouted' };

/** The highest version that a server serves. */
export interface ServedVersion {
  readonly topic: string;
  readonly server: string;
  readonly namespace: string | null;
  readonly version: Known<string>;
}

/** All that was seen of a bus, as data: what it means is decided from this alone. */
export interface Evidence {
  readonly exchange: string;
  readonly virtualHost: string;
  /** Of the transport URL. */
  readonly user: string;
  /** Between the two looks. */
  readonly seconds: number;
  readonly hasExchange: Known<boolean>;
  readonly acceptance: Acceptance;
  readonly permissions: Known<readonly PermissionTry[]>;
  readonly declarations: Known<readonly DeclarationTry[]>;
  /** False: our options are the defaults, and nobody has said that the services have the same. */
  readonly isConfigured: boolean;
  readonly queues: readonly ExaminedQueue[];
  /** Queues that were left out, as there are too many. */
  readonly leftOut: number;
  /** By the names of queues. */
  readonly pings: Known<ReadonlyMap<string, PingOutcome>>;
  /** Undefined: nobody was to be asked. */
  readonly versions: readonly ServedVersion[] | undefined;
  /** At both looks. Undefined: there is no management API to be asked. */
  readonly listings: readonly [BusListing, BusListing] | undefined;
}

/** Where a list of the management API was not asked for. */
export const NO_MANAGEMENT = '--management-url';
