import type { RestoredSubscription } from './consume/subscription.js';
import type { PublishChannel } from './publish/publish-channel.js';

export interface CheckedParts {
  readonly publisher: { readonly awaitedChannel: Pick<PublishChannel, 'answers' | 'session'> | undefined };
  readonly subscriptions: Iterable<Pick<RestoredSubscription, 'verify'>>;
}

/**
 * Faults that are noticed though nobody has told, every `consumerCheckIntervalMs`. A connection that is silent is noticed by `Liveness`.
 *
 * | what | question | verdict | action |
 * |---|---|---|---|
 * | publish channel | does it answer? | stuck, with unconfirmed messages | a new connection, once |
 * | consume channel | does it answer? | stuck | a new connection |
 * | queue | how many consumers and messages? | gone, or without a consumer | declare and consume |
 * | | | messages at two checks, and none delivered | a new channel |
 * | own queue | how many consumers? | more than ours: stale | delete it if empty, declare and consume |
 * | bindings | (declares them) | refused | report, again later |
 */
export class HealthChecks {
  /** `renewed`: whether the new connection helps is not known yet. */
  private state: 'ended' | 'renewed' | 'watching' = 'watching';
  private readonly timer: NodeJS.Timeout;
  /** No round before the last has ended. */
  private round: Promise<void> | undefined;

  constructor(
    private readonly parts: CheckedParts,
    intervalMs: number,
  ) {
    this.timer = setInterval(() => {
      this.round ??= this.check().finally(() => (this.round = undefined));
    }, intervalMs);
    this.timer.unref();
  }

  end(): void {
    this.state = 'ended';
    clearInterval(this.timer);
  }

  /** The broker has taken a message. */
  confirmed(): void {
    if (this.state === 'renewed') this.state = 'watching';
  }

  /** One after the other. */
  private async check(): Promise<void> {
    // A broker that cannot be asked has told so otherwise.
    await this.checkPublishing().catch(() => undefined);
    for (const subscription of this.parts.subscriptions) {
      if (this.state === 'ended') return;
      await subscription.verify().catch(() => undefined);
    }
  }

  /** The broker's own process for a channel may hang, on a connection that lives: it confirms nothing any more. */
  private async checkPublishing(): Promise<void> {
    const channel = this.parts.publisher.awaitedChannel;
    if (this.state !== 'watching' || !channel || (await channel.answers())) return;
    this.state = 'renewed';
    channel.session.giveUp('the broker does not answer on the channel that publishes');
  }
}
