import type { ListenerTurn } from './held-notification.js';

/** Collects what comes to one listener from all its queues, until there are enough or the first has waited long enough. */
export class BatchCollector {
  private collected: ListenerTurn[] = [];
  private timer: NodeJS.Timeout | undefined;
  private state: 'ending' | 'open' = 'open';

  constructor(
    private readonly size: number,
    private readonly timeoutMs: number,
    private readonly onBatch: (turns: readonly ListenerTurn[]) => void,
  ) {}

  push(turn: ListenerTurn): void {
    this.collected.push(turn);
    if (this.state === 'ending' || this.collected.length >= this.size) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), this.timeoutMs);
  }

  /** Takes out what fits. */
  take(match: (turn: ListenerTurn) => boolean): ListenerTurn[] {
    const taken = this.collected.filter((turn) => match(turn));
    this.collected = this.collected.filter((turn) => !match(turn));
    if (this.collected.length === 0) this.stopTimer();
    return taken;
  }

  /** Hands over what there is, and from now on everything as it comes. */
  finish(): void {
    this.state = 'ending';
    this.flush();
  }

  private flush(): void {
    this.stopTimer();
    const turns = this.collected;
    this.collected = [];
    if (turns.length > 0) this.onBatch(turns);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
