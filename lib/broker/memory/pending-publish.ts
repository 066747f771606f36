import { ClosedError, MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { MessagingTimeout } from '../../errors/rpc.errors.js';
import type { OutgoingMessage } from '../broker.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import type { MemoryMessage } from './memory-message.js';

/** A message that was given to `publish` and is not confirmed yet, with the promise for it. */
export class PendingPublish {
  readonly done: Promise<void>;
  /** On the clock of `performance.now()`; `Infinity`: none. */
  readonly deadline: number;
  /** On the same clock: until then a queue is awaited that was there before. */
  awaitQueueUntil: number | undefined;
  private readonly body: Uint8Array;
  private readonly startedAt = performance.now();
  /** Whether it was written to a line that is gone: it may have arrived. */
  writtenBefore = false;
  private attempts = 1;
  private isSettled = false;
  private timer: NodeJS.Timeout | undefined;
  private settle!: { resolve: () => void; reject: (error: Error) => void };

  constructor(
    readonly message: OutgoingMessage,
    private readonly onSettled: () => void,
  ) {
    const { expirationMs = Infinity, giveUpMs = Infinity } = message;
    this.deadline = this.startedAt + Math.min(expirationMs, giveUpMs);
    this.body = new TextEncoder().encode(message.body);
    this.done = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
  }

  /** How long it may still wait; `Infinity` where nothing limits it. */
  get msLeft(): number {
    return this.deadline - performance.now();
  }

  toMessage(): MemoryMessage {
    const { exchange, routingKey, expirationMs } = this.message;
    return {
      exchange,
      routingKey,
      body: this.body,
      properties: {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        ...(expirationMs !== undefined && { expirationMs: Math.ceil(expirationMs - this.elapsedMs) }),
        headers: {},
      },
    };
  }

  /** Gives up, and says so to `onGivenUp`, when the time is over before `resolve`, `reject` or `stopClock`. */
  startClock(onGivenUp: () => void): void {
    this.stopClock();
    if (this.msLeft === Infinity) return;
    this.timer = setTimeout(
      () => {
        onGivenUp();
        this.timeOut();
      },
      Math.min(Math.ceil(this.msLeft), longestTimerMs),
    );
  }

  stopClock(): void {
    clearTimeout(this.timer);
  }

  /** Counts a try that came to nothing; false when it was the last that `retry` allows. */
  mayTryAgain(): boolean {
    const { retry = -1 } = this.message;
    if (retry >= 0 && this.attempts > retry) return false;
    this.attempts++;
    return true;
  }

  resolve(): void {
    this.settled();
    this.settle.resolve();
  }

  reject(error: Error): void {
    this.settled();
    this.settle.reject(error);
  }

  failure(reason: string, cause?: Error): MessageDeliveryFailure {
    const { exchange, routingKey } = this.message;
    const facts = { exchange, routingKey, attempts: this.attempts, unconfirmed: this.writtenBefore, cause };
    return new MessageDeliveryFailure(`${this.description}: ${reason}`, facts);
  }

  fail(reason: string, cause?: Error): void {
    this.reject(this.failure(reason, cause));
  }

  /** Nobody waits for its confirm any longer. */
  close(): void {
    this.reject(new ClosedError('broker', { unconfirmed: this.writtenBefore }));
  }

  timeOut(): void {
    const elapsedMs = Math.round(this.elapsedMs);
    const text = `${this.description}: not confirmed after ${elapsedMs} ms`;
    this.reject(new MessagingTimeout(text, { elapsedMs, fault: 'broker', unconfirmed: this.writtenBefore }));
  }

  private settled(): void {
    this.stopClock();
    if (this.isSettled) return;
    this.isSettled = true;
    this.onSettled();
  }

  private get elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  private get description(): string {
    const { exchange, routingKey } = this.message;
    return `Message to exchange '${exchange}' with routing key '${routingKey}'`;
  }
}
