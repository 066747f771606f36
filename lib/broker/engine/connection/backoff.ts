import type { ResolvedRabbitOptions } from '../../../config/rabbit-options.js';

export type BackoffOptions = Pick<
  ResolvedRabbitOptions,
  'kombuReconnectDelay' | 'rabbitIntervalMax' | 'rabbitRetryBackoff' | 'rabbitRetryInterval'
>;

const firstCeilingMs = 100;
const ceilingMs = 1_000;
/** Thousands of clients come back at once after a long outage, and may be many in one process. */
const longestCeilingMs = 10_000;
const ceilingPerNeighbourMs = 40;
/** A refused login is tried again so soon at first, and twice as late each time: brokers lock accounts. */
const firstRefusedMs = 1_000;
const longestRefusedMs = 30_000;
// The values that oslo.messaging takes for the options of this group that are not set.
const osloInterval = 1;
const osloBackoff = 2;
const osloIntervalMax = 30;

/** Facts of the time without a connection. */
export interface Outage {
  /** Milliseconds since it began. */
  ms: number;
  /** Other clients in this process that have none either. */
  neighbours: number;
}

/** How long to wait before the next attempt to connect. */
export class Backoff {
  constructor(
    private readonly options: BackoffOptions = {},
    private readonly random: () => number = Math.random,
  ) {}

  /** True when the user has set how long to wait. */
  get isPrescribed(): boolean {
    const { kombuReconnectDelay, rabbitIntervalMax, rabbitRetryBackoff, rabbitRetryInterval } = this.options;
    return (kombuReconnectDelay ?? rabbitIntervalMax ?? rabbitRetryBackoff ?? rabbitRetryInterval) !== undefined;
  }

  /** `failures`: how often in a row no host could be reached; 0: a connection that was up has been lost just now. */
  delayMs(failures: number, outage: Outage = { ms: 0, neighbours: 0 }): number {
    const { kombuReconnectDelay } = this.options;
    if (failures === 0 && kombuReconnectDelay !== undefined) return kombuReconnectDelay * 1_000;
    if (failures === 0) return (firstCeilingMs / 2) * (1 + this.random());
    const steps = this.oslosStepsMs(failures);
    if (steps !== undefined) return steps;
    const jittered = this.random() * ceilingOf(failures, outage);
    // Never longer than the outage has lasted: a broker that was away for a second is back for all after another.
    const grown = (1 + this.random()) * 0.5 * Math.min(longestCeilingMs, outage.ms);
    return Math.max(jittered, grown, (kombuReconnectDelay ?? 0) * 1_000);
  }

  /** After `refusals` in a row by a broker that does not want us. */
  refusedDelayMs(refusals: number): number {
    if (this.isPrescribed) return this.delayMs(refusals);
    const longest = Math.min(longestRefusedMs, firstRefusedMs * 2 ** Math.min(refusals - 1, 10));
    return (longest / 2) * (1 + this.random());
  }

  /** Linear steps as kombu's autoretry takes them, when any of their options is set. */
  private oslosStepsMs(failures: number): number | undefined {
    const { rabbitRetryInterval, rabbitRetryBackoff, rabbitIntervalMax } = this.options;
    if ((rabbitRetryInterval ?? rabbitRetryBackoff ?? rabbitIntervalMax) === undefined) return undefined;
    const seconds = (rabbitRetryInterval ?? osloInterval) + (failures - 1) * (rabbitRetryBackoff ?? osloBackoff);
    return Math.min(seconds, rabbitIntervalMax ?? osloIntervalMax) * 1_000;
  }
}

function ceilingOf(failures: number, { neighbours }: Outage): number {
  const grown = Math.min(ceilingMs, firstCeilingMs * 2 ** Math.min(failures, 10));
  return Math.min(longestCeilingMs, Math.max(grown, neighbours * ceilingPerNeighbourMs));
}
