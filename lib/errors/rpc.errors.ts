import { type ErrorFacts, type ErrorFault, OsloMessagingError } from './oslo-messaging.error.js';
import type { TimeoutDiagnosis, TimeoutReason } from './timeout-diagnosis.js';

/**
 * A timeout's facts; only calls are diagnosed.
 *
 * @publicApi
 */
export interface TimeoutFacts extends ErrorFacts {
  diagnosis?: TimeoutDiagnosis;
  /** @defaultValue what the diagnosis says; `'peer'` without one */
  fault?: ErrorFault;
}

/** In these cases a server could have answered; in all others the broker, or the way to it, was in between. */
const reasonsOfThePeer: ReadonlySet<TimeoutReason> = new Set([
  'no-consumers',
  'no-exchange',
  'no-queue',
  'not-answered',
  'not-routed',
]);

/**
 * A call was not answered in time, or its monitor heard nothing for too long.
 *
 * Mirrors `oslo_messaging.exceptions.MessagingTimeout`.
 *
 * @publicApi
 */
export class MessagingTimeout extends OsloMessagingError {
  /** Of a call: what was seen by its deadline. An answer that comes too late is noted here when it comes. */
  readonly diagnosis?: TimeoutDiagnosis;

  constructor(message: string, facts?: TimeoutFacts) {
    const reason = facts?.diagnosis?.reason ?? 'not-answered';
    const fault = facts?.fault ?? (reasonsOfThePeer.has(reason) ? 'peer' : 'broker');
    super(message, { code: 'OSLO_TIMEOUT', fault, retryable: true }, facts);
    if (facts?.diagnosis !== undefined) this.diagnosis = facts.diagnosis;
  }
}

/**
 * The parts of a failure as the peer sent them.
 *
 * @publicApi
 */
export interface RemoteFailureFacts extends ErrorFacts {
  /** Class name of the remote exception, without `_Remote`. */
  excType: string;
  /** Python module of that class. */
  module: string;
  /** `str(exception)` at the peer. */
  remoteMessage: string;
  remoteTraceback?: readonly string[];
  args?: readonly unknown[];
  kwargs?: Readonly<Record<string, unknown>>;
}

/**
 * The peer's handler failed with an exception that is not registered here as a class.
 *
 * Re-thrown inside a handler it goes on to the next caller unchanged: class, module, message,
 * arguments and traceback. Mirrors `oslo_messaging.rpc.client.RemoteError`.
 *
 * @publicApi
 */
export class RemoteError extends OsloMessagingError {
  readonly excType: string;
  readonly module: string;
  readonly remoteMessage: string;
  readonly remoteTraceback: readonly string[];
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;

  constructor(facts: RemoteFailureFacts) {
    super(
      `${facts.module}.${facts.excType}: ${facts.remoteMessage}`,
      { code: 'OSLO_REMOTE', fault: 'peer', retryable: false },
      facts,
    );
    this.excType = facts.excType;
    this.module = facts.module;
    this.remoteMessage = facts.remoteMessage;
    this.remoteTraceback = facts.remoteTraceback ?? [];
    this.args = facts.args ?? [];
    this.kwargs = facts.kwargs ?? {};
  }
}

/**
 * An endpoint of that namespace and version exists, but offers no such method.
 *
 * Mirrors `oslo_messaging.rpc.dispatcher.NoSuchMethod`, its text and its one argument.
 *
 * @publicApi
 */
export class NoSuchMethod extends OsloMessagingError {
  constructor(method: string, facts?: ErrorFacts) {
    super(
      `Endpoint does not support RPC method ${method}`,
      { code: 'OSLO_NO_METHOD', fault: 'caller', retryable: false },
      { ...facts, method },
    );
  }
}

/**
 * No endpoint serves that namespace in a compatible version.
 *
 * Mirrors `oslo_messaging.rpc.dispatcher.UnsupportedVersion`, its text and its one argument.
 *
 * @publicApi
 */
export class UnsupportedVersion extends OsloMessagingError {
  readonly version: string;

  constructor(version: string, method?: string, facts?: ErrorFacts) {
    super(
      `Endpoint does not support RPC version ${version}${method ? `. Attempted method: ${method}` : ''}`,
      { code: 'OSLO_VERSION', fault: 'caller', retryable: false },
      { ...facts, method },
    );
    this.version = version;
  }
}

/**
 * The version asked for is beyond the client's cap, so nothing was sent.
 *
 * Mirrors `oslo_messaging.rpc.client.RPCVersionCapError`.
 *
 * @publicApi
 */
export class RpcVersionCapError extends OsloMessagingError {
  readonly version: string | null;
  readonly versionCap: string;

  constructor(version: string | null, versionCap: string, facts?: ErrorFacts) {
    super(
      `Requested message version, ${version ?? 'None'} is incompatible.  It needs to be equal in ` +
        `major version and less than or equal in minor version as the specified version cap ${versionCap}.`,
      { code: 'OSLO_VERSION_CAP', fault: 'caller', retryable: false },
      facts,
    );
    this.version = version;
    this.versionCap = versionCap;
  }
}
