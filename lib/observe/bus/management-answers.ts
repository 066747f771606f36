import { isRecord } from '../../wire/json/is-record.js';

/** Of a number that the broker has not counted yet: a new queue has none for up to 5 s. */
export type NotKnownYet = null;

/** The cluster, as any user with a tag may see it. */
export interface ClusterOverview {
  readonly clusterName: string;
  readonly version: string;
  /** Connections that were opened and closed since the nodes started; of all virtual hosts. */
  readonly connectionsOpened: number | NotKnownYet;
  readonly connectionsClosed: number | NotKnownYet;
  /** Milliseconds by which the clock of the node that has answered is ahead of ours, to about a second. */
  readonly clockAheadMs: number | undefined;
  /** It may be so much more or less: the answer took twice as long. */
  readonly clockDoubtMs: number;
}

/** One node of the cluster. */
export interface ListedNode {
  readonly name: string;
  readonly running: boolean;
}

/** What is scarce, and on which node. */
export interface ListedAlarm {
  readonly node: string;
  readonly resource: string;
}

/** One queue of a virtual host. */
export interface ListedQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly exclusive: boolean;
  /** `classic`, `quorum`, `stream`. */
  readonly type: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Of the policies that apply to it. */
  readonly policy: Readonly<Record<string, unknown>>;
  readonly ready: number | NotKnownYet;
  readonly unacknowledged: number | NotKnownYet;
  readonly consumers: number | NotKnownYet;
  /** Messages a second, in and out to consumers. */
  readonly publishRate: number | NotKnownYet;
  readonly deliverRate: number | NotKnownYet;
}

/** Milliseconds that it lives without being used; undefined: for ever. */
export function expiryOf({ arguments: own, policy }: ListedQueue): number | undefined {
  const [first, second] = [own['x-expires'], policy['expires']].filter((one) => typeof one === 'number');
  return first === undefined ? second : Math.min(first, second ?? first);
}

/** As far as it is known yet. */
export function messagesIn({ ready, unacknowledged }: ListedQueue): number {
  return (ready ?? 0) + (unacknowledged ?? 0);
}

export interface ListedExchange {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  /** The user who has made it. */
  readonly madeBy: string | undefined;
}

/** From an exchange to a queue. */
export interface ListedBinding {
  readonly exchange: string;
  readonly queue: string;
  readonly routingKey: string;
}

export interface ListedConsumer {
  readonly queue: string;
  /** The connection's `name`. */
  readonly connection: string;
}

export interface ListedConnection {
  readonly name: string;
  /** Its own name for itself; Python's services: `nova-compute:1234:<uuid>`. */
  readonly program: string | undefined;
  readonly user: string;
  readonly peerHost: string;
  /** `py-amqp` and its version, where it says so. */
  readonly product: string | undefined;
  readonly productVersion: string | undefined;
  /** `AMQP 0-9-1`. */
  readonly protocol: string;
  /** Capabilities of the client that it has said to have. */
  readonly capabilities: readonly string[];
}

/** Regular expressions of names. */
export interface UserPermissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Why the management API did not say what was asked. */
export type ManagementProblem = 'not found' | 'not understood' | 'refused' | 'too large' | 'unreachable';

/** The management API has not answered, or not with what was asked for. */
export class ManagementFailure extends Error {
  override readonly name = 'ManagementFailure';

  constructor(
    readonly problem: ManagementProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

// ---- of JSON, of which nothing is sure ------------------------------------------------------------

/** @throws ManagementFailure it is something else */
export function requireRecord(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw new ManagementFailure('not understood', `the management API has answered something else than its ${what}`);
}

/** @throws ManagementFailure it is no list */
export function records(value: unknown, what: string): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.filter(isRecord);
  throw new ManagementFailure('not understood', `the management API has answered something else than its ${what}`);
}

/** Empty for anything else. */
export function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** What is no number is not known yet. */
export function numberOf(value: unknown): number | NotKnownYet {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function queueOf(one: Record<string, unknown>): ListedQueue {
  const statistics = recordOf(one.message_stats);
  return {
    name: textOf(one.name),
    durable: one.durable === true,
    autoDelete: one.auto_delete === true,
    exclusive: one.exclusive === true,
    type: optionalText(one.type) ?? 'classic',
    arguments: recordOf(one.arguments),
    policy: recordOf(one.effective_policy_definition),
    ready: numberOf(one.messages_ready),
    unacknowledged: numberOf(one.messages_unacknowledged),
    consumers: numberOf(one.consumers),
    publishRate: numberOf(recordOf(statistics.publish_details).rate),
    deliverRate: numberOf(recordOf(statistics.deliver_get_details).rate),
  };
}

/** Who has opened it: of a Python service `nova-compute:1234 on 10.0.0.7`, without its uuid. Undefined: it does not say. */
export function programOf({ program, peerHost }: ListedConnection): string | undefined {
  if (program === undefined) return undefined;
  return `${program.replace(/^([^:]+:\d+):.*$/s, '$1')} on ${peerHost}`;
}

export function connectionOf(one: Record<string, unknown>): ListedConnection {
  const properties = recordOf(one.client_properties);
  const capabilities = Object.entries(recordOf(properties.capabilities));
  return {
    name: textOf(one.name),
    program: optionalText(one.user_provided_name) ?? optionalText(properties.connection_name),
    user: textOf(one.user),
    peerHost: textOf(one.peer_host),
    protocol: textOf(one.protocol),
    product: optionalText(properties.product),
    productVersion: optionalText(properties.product_version) ?? optionalText(properties.version),
    capabilities: capabilities.flatMap(([name, has]) => (has === true ? name : [])),
  };
}
