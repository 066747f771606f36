import { ClosedError, type DeliveryFacts, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { ErrorFacts } from '../../../errors/oslo-messaging.error.js';
import { MessagingTimeout } from '../../../errors/rpc.errors.js';
import { MalformedMessage } from '../../../errors/wire.errors.js';
import type { InContext } from '../../../events/handler-scope.js';
import type { OutgoingMessage } from '../../broker.js';
import { ReplyCode } from '../../link.js';
import { replyCode } from '../connection/reply-codes.js';
import { isLegal, type Transitions } from '../state.js';

// The broker refuses larger ones, and the channel with them.
const longestExpirationMs = 0xffffffff;

type FailureFacts = Pick<DeliveryFacts, 'cause' | 'host' | 'unconfirmed'>;

/**
 * The places where a message may be: it waits to be written (`queued`), until its topology is declared, for its confirm, after a nack,
 * or for its queue to come back. `new` and `settled` are nowhere.
 */
export type PlaceName = 'backingOff' | 'declaring' | 'new' | 'queued' | 'settled' | 'unconfirmed' | 'unrouted';

/** A place that a message is in; one at a time. Only `move` calls these. */
export interface Place {
  readonly name: PlaceName;
  entered?(pending: PendingMessage): void;
  left?(pending: PendingMessage): void;
}

/** A place that has its messages in the order in which they came. */
export abstract class Waiting implements Place {
  abstract readonly name: PlaceName;
  protected waiting = new Set<PendingMessage>();

  get messages(): ReadonlySet<PendingMessage> {
    return this.waiting;
  }

  entered(pending: PendingMessage): void {
    this.waiting.add(pending);
  }

  left(pending: PendingMessage): void {
    this.waiting.delete(pending);
  }
}

const following: Transitions<PlaceName> = {
  new: ['queued', 'unconfirmed', 'unrouted', 'settled'],
  queued: ['declaring', 'unconfirmed', 'settled'],
  declaring: ['queued', 'settled'],
  unconfirmed: ['queued', 'backingOff', 'unrouted', 'settled'],
  backingOff: ['queued', 'settled'],
  unrouted: ['queued', 'settled'],
  settled: [],
};

const newcomers: Place = { name: 'new' };
const settled: Place = { name: 'settled' };

export interface AcceptedMessage extends OutgoingMessage {
  /** That of whoever publishes it, where an instrumentation may look at it. */
  readonly inContext?: InContext | undefined;
}

/** One message on its way, from `publish` to its confirm. */
export class PendingMessage {
  readonly promise: Promise<void>;
  readonly since = performance.now();
  /** On the clock of `performance.now()`; `Infinity`: none. */
  readonly deadline: number;
  /** True when its exchange was missing once and is to be declared anew. */
  redeclared = false;
  /** True when it was written before, on a channel that is gone: it may have arrived. */
  writtenBefore = false;
  /** How often it was written: a receipt is for one of these times. */
  writes = 0;
  /** How often the broker would not take it. */
  nacks = 0;
  /** Its share of what may be in flight. */
  bytes = 0;
  /** The channel on which the broker would not take it. */
  refusedOn: Place | undefined;
  /** On the clock of `performance.now()`: until then a queue is awaited that was there before. */
  awaitQueueUntil: number | undefined;
  private place: Place = newcomers;
  private attempts = 0;
  private resolvePromise!: () => void;
  private rejectPromise!: (error: Error) => void;

  constructor(
    readonly message: AcceptedMessage,
    /** Called once. */
    private readonly onSettled: (pending: PendingMessage) => void,
  ) {
    const { giveUpMs = Infinity, expirationMs = Infinity } = message;
    this.deadline = this.since + Math.min(giveUpMs, expirationMs);
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
  }

  get at(): Place {
    return this.place;
  }

  /** Leaves the place where it is for another one. */
  move(to: Place): void {
    const from = this.place;
    if (!isLegal('message', following, from.name, to.name)) return;
    from.left?.(this);
    this.place = to;
    to.entered?.(this);
  }

  /** True when the one that waited for its outcome waits no more. */
  get isAbandoned(): boolean {
    return this.message.owner?.ended === true;
  }

  /** True when the broker is to say when no queue takes it. */
  get mandatory(): boolean {
    return this.message.mandatory === true || this.message.awaitQueue === true;
  }

  /** True for the bytes that go out, the same each time. */
  hasContent(content: Buffer): boolean {
    return Buffer.byteLength(this.message.body) === content.length && content.equals(Buffer.from(this.message.body));
  }

  /** The AMQP property: what is left of its life, a whole one where it is written at once. */
  expiration(writtenAtOnce: boolean): string | undefined {
    const { expirationMs } = this.message;
    if (expirationMs === undefined || !Number.isFinite(expirationMs)) return undefined;
    const waited = writtenAtOnce ? 0 : performance.now() - this.since;
    return String(Math.min(longestExpirationMs, Math.max(0, Math.ceil(expirationMs - waited))));
  }

  /** Counts a failed try. False: `retry` allows no other. */
  useTry(): boolean {
    this.attempts++;
    const { retry = -1 } = this.message;
    return retry < 0 || this.attempts <= retry;
  }

  resolve(): void {
    this.end();
    this.resolvePromise();
  }

  reject(error: Error): void {
    this.end();
    this.rejectPromise(error);
  }

  fail(reason: string, facts: FailureFacts = {}): void {
    const { exchange, routingKey } = this.message;
    const attempts = Math.max(1, this.attempts);
    const all = { ...this.facts, exchange, routingKey, attempts, ...facts };
    this.reject(new MessageDeliveryFailure(`${this.description}: ${reason}`, all));
  }

  /** Nobody waits for its confirm any longer. */
  close(): void {
    this.reject(new ClosedError('broker', this.facts));
  }

  /** The broker takes no such message: as what is more than `maxOutgoingMessageBytes` where it is too large. */
  refuse(reason: string, facts: FailureFacts): void {
    if (replyCode(facts.cause) !== ReplyCode.preconditionFailed) return this.fail(reason, facts);
    const all = { ...this.facts, fault: 'caller' as const, cause: facts.cause };
    this.reject(new MalformedMessage(`${this.description}: ${reason}`, all));
  }

  /** `hindrance`: what kept it from being sent. */
  timeOut(now: number, hindrance?: string): void {
    const elapsedMs = Math.round(now - this.since);
    const text = `${this.description}: not confirmed after ${elapsedMs} ms${hindrance === undefined ? '' : `, ${hindrance}`}`;
    this.reject(new MessagingTimeout(text, { ...this.facts, elapsedMs, fault: 'broker' }));
  }

  private end(): void {
    this.move(settled);
    this.onSettled(this);
  }

  private get facts(): ErrorFacts {
    return { unconfirmed: this.writtenBefore };
  }

  private get description(): string {
    const { exchange, routingKey } = this.message;
    return `Message to exchange '${exchange}' with routing key '${routingKey}'`;
  }
}
