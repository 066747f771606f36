/** When a stream of results ends by itself. */
export interface StreamEnds {
  readonly for?: number;
  readonly untilIdle?: number;
}

/** What a stream tells of itself, asked ten times a second. */
export interface StreamProgress {
  /** Something that is known by the clock alone: calls whose callers have given up, a line to be drawn again. */
  tick?(now: number): void;
  /** Whether there is nothing more to wait for. */
  isDone?(): boolean;
  /** When something has come last, as `Date.now()`. */
  lastAt?(): number;
}

const TICK_MS = 100;

/** Resolves when a stream is interrupted, is done, its time is over, or nothing has come for so long. */
export function untilStreamEnd(ends: StreamEnds, progress: StreamProgress, interrupted: AbortSignal): Promise<void> {
  const { for: forMs = Infinity, untilIdle = Infinity } = ends;
  const endsAt = Date.now() + forMs;
  return new Promise((resolve) => {
    const look = (): void => {
      const now = Date.now();
      progress.tick?.(now);
      const isIdle = now - (progress.lastAt?.() ?? now) >= untilIdle;
      if (!interrupted.aborted && !progress.isDone?.() && now < endsAt && !isIdle) return;
      clearInterval(timer);
      interrupted.removeEventListener('abort', look);
      resolve();
    };
    const timer = setInterval(look, TICK_MS);
    interrupted.addEventListener('abort', look);
    if (interrupted.aborted) look();
  });
}
