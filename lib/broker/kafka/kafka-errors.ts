import { type TlsOptionNames, tlsFault } from '../tls-errors.js';

/** Kafka's codes for what does not pass by itself: somebody has to do something about it. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'GROUP_MAX_SIZE_REACHED',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'INVALID_RECORD',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_SASL_MECHANISM',
]);
/** Those of what passes soon: a topic that is being made, a coordinator that is not there yet. */
const PASSING: ReadonlySet<unknown> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_ID',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
const TRANSPORT_CODES: ReadonlySet<unknown> = new Set(['PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT']);
const TLS_OPTIONS: TlsOptionNames = {
  authority: 'sslCafile',
  certificate: 'sslClientCertFile',
  key: 'sslClientKeyFile',
  noTls: 'set securityProtocol to PLAINTEXT or SASL_PLAINTEXT',
};
/** As many reasons make one text. */
const MOST_REASONS = 3;

interface ClientError {
  readonly message?: unknown;
  readonly code?: unknown;
  /** The name of Kafka's code. */
  readonly apiId?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
}

/** True when the cluster does not want this: trying again does not help. */
export function isRefusal(error: unknown): boolean {
  return some(error, ({ apiId, code }) => REFUSALS.has(apiId) || code === 'PLT_KFK_AUTHENTICATION');
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return some(error, ({ apiId }) => codes.includes(apiId as string));
}

/** True when it is worth asking again in a moment. */
export function isPassing(error: unknown): boolean {
  return isUnknownTopic(error) || some(error, ({ apiId }) => PASSING.has(apiId));
}

/** There is no such topic, or not yet. */
export function isUnknownTopic(error: unknown): boolean {
  return some(error, ({ code, message }) => code === 'PLT_KFK_USER' && String(message).startsWith('Unknown topic'));
}

/** The connection is to blame, and not the request. */
export function isTransportFault(error: unknown): boolean {
  return some(error, ({ code, message }) => TRANSPORT_CODES.has(code) || message === 'Connection pool is closed.');
}

/** An answer came, and its records cannot be read: a codec that Node.js lacks, bytes that are none of it. */
export function isUnreadable(error: unknown): boolean {
  if (some(error, ({ code }) => code === 'PLT_KFK_UNSUPPORTED_COMPRESSION' || code === 'PLT_KFK_OUT_OF_BOUNDS'))
    return true;
  return error instanceof Error && !isOfClient(error) && !isTransportFault(error);
}

function isOfClient({ code }: ClientError): boolean {
  return typeof code === 'string' && code.startsWith('PLT_KFK_');
}

/** The group has begun anew without us, or is about to. */
export function isRebalance(error: unknown): boolean {
  return hasCode(error, 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID', 'MEMBER_ID_REQUIRED');
}

/** The innermost reasons, in one line: the client wraps them several times. */
export function reasonOf(error: unknown): string {
  const reasons = new Set<string>();
  collect(error, reasons);
  const texts = [...reasons].slice(0, MOST_REASONS).map((text) => text.replace(/\s*[\r\n]+\s*/g, ' '));
  return texts.length > 0 ? texts.join('; ') : String(error);
}

function collect(error: unknown, reasons: Set<string>): void {
  const inner = innerOf(error);
  if (inner.length > 0) return inner.forEach((one) => collect(one, reasons));
  const text = error instanceof Error ? (tlsFault(error, TLS_OPTIONS) ?? (error.message || error.name)) : String(error);
  reasons.add(text.replace(/\.$/, ''));
}

function some(error: unknown, is: (one: ClientError) => boolean): boolean {
  if (typeof error !== 'object' || error === null) return false;
  return is(error) || innerOf(error).some((one) => some(one, is));
}

function innerOf(error: unknown): readonly unknown[] {
  if (typeof error !== 'object' || error === null) return [];
  const { cause, errors } = error as ClientError;
  const several = Array.isArray(errors) ? (errors as unknown[]) : [];
  return cause === undefined ? several : [...several, cause];
}
