import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';

export type ReconnectOptions = Pick<
  ResolvedRabbitOptions,
  'kombuReconnectDelay' | 'rabbitIntervalMax' | 'rabbitRetryBackoff' | 'rabbitRetryInterval'
>;

const ceilingMs = 1_000;
const firstCeilingMs = 100;
// What oslo.messaging takes for the options of this group that are not set.
const osloInterval = 1;
const osloBackoff = 2;
const osloIntervalMax = 30;

/** How long to wait before the next attempt to connect. */
export class ReconnectPolicy {
  constructor(
    private readonly options: ReconnectOptions = {},
    private readonly random: () => number = Math.random,
  ) {}

  /** Whether the user has set how long to wait. */
  get isPrescribed(): boolean {
    const { kombuReconnectDelay, rabbitIntervalMax, rabbitRetryBackoff, rabbitRetryInterval } = this.options;
    const waits = [kombuReconnectDelay, rabbitIntervalMax, rabbitRetryBackoff, rabbitRetryInterval];
    return waits.some((wait) => wait !== undefined);
  }

  /** `failures`: how often in a row no host could be reached; 0: a line that was up has been lost just now. */
  delayMs(failures: number): number {
    const { kombuReconnectDelay } = this.options;
    if (failures === 0 && kombuReconnectDelay !== undefined) return kombuReconnectDelay * 1_000;
    if (failures === 0) return (firstCeilingMs / 2) * (1 + this.random());
    const steps = this.oslosStepsMs(failures);
    if (steps !== undefined) return steps;
    const jittered = this.random() * Math.min(ceilingMs, firstCeilingMs * 2 ** Math.min(failures, 10));
    return Math.max(jittered, (kombuReconnectDelay ?? 0) * 1_000);
  }

  /** Linear steps as kombu's autoretry takes them, when any of their options is set. */
  private oslosStepsMs(failures: number): number | undefined {
    const { rabbitRetryInterval, rabbitRetryBackoff, rabbitIntervalMax } = this.options;
    if (rabbitRetryInterval === undefined && rabbitRetryBackoff === undefined && rabbitIntervalMax === undefined) {
      return undefined;
    }
    const seconds = (rabbitRetryInterval ?? osloInterval) + (failures - 1) * (rabbitRetryBackoff ?? osloBackoff);
    return Math.min(seconds, rabbitIntervalMax ?? osloIntervalMax) * 1_000;
  }
}
