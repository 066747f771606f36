/** So long at a stretch a queue's listeners may have all that they can hold. */
const TOLERATED_MS = 10_000;

/** Notices when the listeners of a queue fall behind: they hold as much as the broker lets them, and go on doing so. */
export class BacklogWatch {
  private timer: NodeJS.Timeout | undefined;
  private state: 'behind' | 'keepingUp' = 'keepingUp';

  constructor(
    private readonly full: number,
    private readonly onChanged: (behind: boolean) => void,
  ) {}

  /** Called with what is held whenever that changes. */
  holds(count: number): void {
    if (count >= this.full) {
      this.timer ??= setTimeout(() => this.change(true), TOLERATED_MS).unref();
    } else if (count <= this.full / 2) {
      this.stop();
      if (this.state === 'behind') this.change(false);
    }
  }

  /** Nothing is said any more. */
  end(): void {
    this.state = 'keepingUp';
    this.stop();
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private change(behind: boolean): void {
    this.state = behind ? 'behind' : 'keepingUp';
    this.onChanged(behind);
  }
}
