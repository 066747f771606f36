import { type AwaitedQueue, type Share, weightOf } from './fair-shares.js';
import { type PendingMessage, Waiting } from './pending-message.js';

/** A queue that is missing, with the messages that wait for it, the oldest first. */
export class MissingQueue extends Waiting implements AwaitedQueue {
  readonly name = 'unrouted';
  readonly since = performance.now();
  looks = 0;
  /** The message that has been sent to see whether the queue is there again. */
  probe: PendingMessage | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly share: Share,
    private readonly onDue: () => void,
  ) {
    super();
  }

  /** Nobody waits for it any more. */
  get isDone(): boolean {
    return this.waiting.size === 0 && this.probe === undefined;
  }

  /** The probe comes back to the front. */
  override entered(pending: PendingMessage): void {
    if (this.probe === pending) {
      this.probe = undefined;
      this.waiting = new Set([pending, ...this.waiting]);
    } else {
      super.entered(pending);
    }
    this.share.entered(this, weightOf(pending));
  }

  override left(pending: PendingMessage): void {
    super.left(pending);
    this.share.left(this, weightOf(pending));
  }

  /** The oldest message, unless one is under way already. */
  takeProbe(): PendingMessage | undefined {
    if (this.probe) return undefined;
    const [probe] = this.waiting;
    this.probe = probe;
    // However it ended: the next may go.
    const ended = (): void => void (this.probe === probe && (this.probe = undefined));
    probe?.promise.then(ended, ended);
    return probe;
  }

  lookIn(delayMs: number): void {
    this.looks += 1;
    this.timer = setTimeout(this.onDue, delayMs);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
