/**
 * Whose move it is: who has to change something before the same attempt can succeed.
 *
 * @publicApi
 */
export type ErrorFault = 'broker' | 'caller' | 'peer';

/**
 * Facts that every error of this library has; absent where they do not apply.
 *
 * @publicApi
 */
export interface ErrorFacts {
  /** The error that led to this one. */
  cause?: unknown;
  /** `exchange/topic.server` of the request, as far as it is known. */
  target?: string;
  method?: string;
  msgId?: string;
  replyQueue?: string;
  elapsedMs?: number;
  /** The message was sent, and its confirm did not come: it may have arrived all the same. */
  unconfirmed?: boolean;
}

interface ErrorTraits {
  code: string;
  fault: ErrorFault;
  retryable: boolean;
}

/**
 * The one base class of everything this library throws.
 *
 * Python has two roots (`MessagingException` and plain `Exception`, from which its
 * `MessageUndeliverable` descends); here one `catch` is enough.
 *
 * @publicApi
 */
export abstract class OsloMessagingError extends Error {
  /** Stable and machine-readable, `OSLO_…`. */
  readonly code: string;
  readonly fault: ErrorFault;
  /** True when the same attempt may succeed later without anything being changed. */
  readonly retryable: boolean;
  readonly target?: string;
  readonly method?: string;
  readonly msgId?: string;
  readonly replyQueue?: string;
  readonly elapsedMs?: number;
  readonly unconfirmed?: true;

  protected constructor(message: string, traits: ErrorTraits, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = traits.code;
    this.fault = traits.fault;
    this.retryable = traits.retryable;
    if (facts.target !== undefined) this.target = facts.target;
    if (facts.method !== undefined) this.method = facts.method;
    if (facts.msgId !== undefined) this.msgId = facts.msgId;
    if (facts.replyQueue !== undefined) this.replyQueue = facts.replyQueue;
    if (facts.elapsedMs !== undefined) this.elapsedMs = facts.elapsedMs;
    if (facts.unconfirmed) this.unconfirmed = true;
  }
}

export function isUnconfirmed(error: unknown): boolean {
  return error instanceof OsloMessagingError && error.unconfirmed === true;
}

/** How sending failed, for reports: nothing that may have arrived is called not sent. */
export function howSendingFailed(error: unknown): string {
  return isUnconfirmed(error) ? 'was not confirmed, and may have arrived' : 'was not sent';
}
