import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MessagingEvent } from '../../../lib/index.js';
import { TOKEN } from '../../support/mutations.js';

/** Mutants that one file sends; `npm run fuzz` sets more. */
export const MUTANTS = Number(process.env['FUZZ_MUTANTS'] ?? 10_000);

/** `FUZZ_SEED` repeats a run. */
export const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

export const PER_ROUND = 250;

/** One after the other, numbered; each gets so many mutants and a seed of its own. */
export async function inRounds(run: (round: number, count: number, seed: number) => Promise<void>): Promise<void> {
  for (let round = 0; round * PER_ROUND < MUTANTS; round += 1) {
    const count = Math.min(PER_ROUND, MUTANTS - round * PER_ROUND);
    try {
      await run(round, count, SEED + round);
    } catch (error) {
      throw new Error(`round ${round} failed; FUZZ_SEED=${SEED + round} begins with it`, { cause: error });
    }
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** For what the whole run may take, on a slow machine. */
export const LONGEST_MS = 60_000 + MUTANTS * 20;

export function heapMiB(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** Counts events instead of keeping them, and looks at each message. */
export class EventCounts {
  private readonly counts = new Map<MessagingEvent['type'], number>();

  of(type: MessagingEvent['type']): number {
    return this.counts.get(type) ?? 0;
  }

  take(events: MessagingEvent[]): void {
    for (const { type, message } of events.splice(0)) {
      this.counts.set(type, this.of(type) + 1);
      if (message.includes(TOKEN)) throw new Error(`a secret in: ${message}`);
      if (message.length > 3000 || /[\r\n\u2028]/.test(message)) throw new Error(`no line of a log: ${message}`);
    }
  }
}
