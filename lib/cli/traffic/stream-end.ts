import type { Command } from 'commander';
import { OPTIONS } from '../command.js';

/** When a command that goes on and on is over. */
export interface StreamEndOptions {
  readonly count?: number;
  /** Milliseconds. */
  readonly for?: number;
  /** Milliseconds. */
  readonly untilIdle?: number;
}

const TICK_MS = 100;

/** Gives a command the options. */
export function withStreamEnd(command: Command): Command {
  return command
    .addOption(OPTIONS.count())
    .addOption(OPTIONS.duration('--for <duration>', 'end after that time'))
    .addOption(OPTIONS.duration('--until-idle <duration>', 'end when nothing has come for so long'));
}

/** The end of a stream: Ctrl-C, or what the options say. */
export class StreamEnd {
  /** Results that were shown. */
  shown = 0;
  private lastAt = 0;
  private settle: () => void = () => undefined;

  constructor(
    private readonly options: StreamEndOptions,
    private readonly interrupted: AbortSignal,
  ) {}

  /** So many were shown as `--count` allows: no more is. */
  get isFull(): boolean {
    return this.options.count !== undefined && this.shown >= this.options.count;
  }

  /** Something has come, shown or not. */
  notIdle(): void {
    this.lastAt = Date.now();
  }

  /** One more was shown. */
  countOne(): void {
    this.shown += 1;
    if (this.isFull) this.settle();
  }

  /** Resolves at the end; `passTime` is told the time while that is awaited. */
  reached(passTime: (now: number) => void = () => undefined): Promise<void> {
    const { for: forMs = Infinity, untilIdle = Infinity } = this.options;
    // To connect takes its time, too.
    this.lastAt = Date.now();
    const endsAt = this.lastAt + forMs;
    let lookedAt = this.lastAt;
    let state: 'looking' | 'reading' = 'looking';
    return new Promise((resolve) => {
      const end = (): void => {
        clearInterval(timer);
        this.interrupted.removeEventListener('abort', end);
        resolve();
      };
      const look = (): void => {
        const now = Date.now();
        // While our process stands still it cannot see what has come. That is read before the next look.
        const stoodStillMs = Math.max(0, now - lookedAt - TICK_MS);
        this.lastAt += stoodStillMs;
        lookedAt = now;
        state = stoodStillMs >= TICK_MS && state === 'looking' ? 'reading' : 'looking';
        if (state === 'reading') return;
        passTime(now);
        if (this.isFull || now >= endsAt || now - this.lastAt >= untilIdle) end();
      };
      const timer = setInterval(look, TICK_MS);
      this.settle = end;
      this.interrupted.addEventListener('abort', end);
      if (this.interrupted.aborted || this.isFull) end();
    });
  }
}
