import type { MessageBroker } from '../../broker/broker.js';
import { MessageUndeliverable } from '../../errors/delivery.errors.js';
import { MessagingTimeout, NoSuchMethod, RemoteError, UnsupportedVersion } from '../../errors/rpc.errors.js';
import { NotifierCore } from '../../notify/notifier/notifier-core.js';
import type { SeenFailure } from '../../observe/traffic/call-pairing.js';
import {
  paceOf,
  type ReplayNotification,
  type ReplayRequest,
  type ReplayStep,
} from '../../observe/traffic/replay-plan.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import { pauseUnless } from '../pause-unless.js';
import { reasonText } from '../reason-text.js';

/** The outcome of one message that was sent again. */
export type ReplayOutcome =
  | { readonly name: 'answered'; readonly result: unknown }
  | { readonly name: 'failed'; readonly failure: SeenFailure }
  | { readonly name: 'interrupted' | 'nobody' | 'not sent' | 'timeout'; readonly reason: string }
  | { readonly name: 'sent' };

/** How a plan is carried out. */
export interface ReplayPace {
  /** Times the recorded pace; Infinity: as fast as `maxRate` allows. */
  readonly speed: number;
  /** Messages a second. */
  readonly maxRate: number;
  /** Of calls whose callers did not say how long they waited. */
  readonly timeoutMs: number;
}

/** Calls that wait for their answers at a time; the next one waits with its server. */
const MOST_WAITING = 1_000;

/**
 * Sends what was recorded again, with ids and a reply queue of its own: the recorded ones would be taken for repeated messages,
 * and answers would go to the callers of then.
 */
export class ReplayRun {
  private readonly client: RpcClient;
  private readonly notifiers = new Map<string, NotifierCore>();
  private readonly waiting = new Set<Promise<void>>();

  constructor(
    private readonly broker: MessageBroker,
    private readonly pace: ReplayPace,
    private readonly ended: (step: ReplayStep, outcome: ReplayOutcome, elapsedMs: number) => void,
  ) {
    this.client = new RpcClient(broker, {}, { transportOptions: { atLeastOnce: true } });
  }

  /** Resolves when everything is sent, and answered or given up; resolves to the number of messages that were sent. */
  async run(steps: readonly ReplayStep[], interrupted: AbortSignal): Promise<number> {
    const begun = performance.now();
    const times = paceOf(steps, this.pace.speed, this.pace.maxRate);
    let sent = 0;
    for (const [at, step] of steps.entries()) {
      await pauseUnless(interrupted, begun + times[at]! - performance.now());
      if (this.waiting.size >= MOST_WAITING) await Promise.race(this.waiting);
      if (interrupted.aborted) break;
      this.begin(step, interrupted);
      sent += 1;
    }
    await Promise.all(this.waiting);
    return sent;
  }

  async close(): Promise<void> {
    await this.client.close();
    for (const notifier of this.notifiers.values()) await notifier.close();
  }

  private begin(step: ReplayStep, interrupted: AbortSignal): void {
    const begun = performance.now();
    const end = (outcome: ReplayOutcome): void => this.ended(step, outcome, performance.now() - begun);
    const waiting = this.send(step, interrupted)
      .then(end, (error: unknown) => end(outcomeOf(error)))
      .finally(() => this.waiting.delete(waiting));
    this.waiting.add(waiting);
  }

  private send(step: ReplayStep, interrupted: AbortSignal): Promise<ReplayOutcome> {
    return step.kind === 'notification' ? this.notify(step) : this.request(step, interrupted);
  }

  private async request(step: ReplayRequest, signal: AbortSignal): Promise<ReplayOutcome> {
    const { kind, target, method, args, context, callMonitorTimeout = null } = step;
    const timeout = (step.timeoutMs ?? this.pace.timeoutMs) / 1_000;
    const to = this.client.prepare({ ...target, timeout, callMonitorTimeout });
    if (kind === 'call') return { name: 'answered', result: await to.call(method, args, { context, signal }) };
    await to.cast(method, args, { context });
    return { name: 'sent' };
  }

  private async notify(step: ReplayNotification): Promise<ReplayOutcome> {
    const { exchange, topic, priority, eventType, payload, context, publisherId } = step;
    const key = JSON.stringify([exchange, topic]);
    const notifier = this.notifiers.get(key) ?? new NotifierCore(this.broker, { exchange, topics: [topic] });
    this.notifiers.set(key, notifier);
    const by = publisherId === undefined ? notifier : notifier.prepare({ publisherId });
    await by.notify(priority, eventType, payload, { context });
    return { name: 'sent' };
  }
}

function outcomeOf(error: unknown): ReplayOutcome {
  if (error instanceof RemoteError) {
    const { excType, module, remoteMessage: message } = error;
    return { name: 'failed', failure: { excType, module, message } };
  }
  if (error instanceof NoSuchMethod || error instanceof UnsupportedVersion) {
    const failure = { excType: error.name, module: 'oslo_messaging.rpc.dispatcher', message: error.message };
    return { name: 'failed', failure };
  }
  if (error instanceof MessageUndeliverable) return { name: 'nobody', reason: error.message };
  if (error instanceof MessagingTimeout) return { name: 'timeout', reason: error.diagnosis?.summary ?? error.message };
  if (error instanceof Error && error.name === 'AbortError') return { name: 'interrupted', reason: error.message };
  return { name: 'not sent', reason: reasonText(error) };
}
