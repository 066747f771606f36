import type { BindingDeclaration, Declaration } from '../../../wire/topology.js';
import type { ConsumeRequest } from '../../broker.js';
import { replyText } from '../connection/reply-codes.js';
import type { Session } from '../connection/session.js';
import type { ConsumerLosses } from './consumer-losses.js';

const shortestPauseMs = 1_000;
const longestPauseMs = 5_000;

export interface RenewalParts {
  losses: ConsumerLosses;
  /** While all queues are consumed; whoever consumes anew binds before. */
  consuming(): Session | undefined;
  declare(session: Session): Promise<void>;
}

/**
 * Binds the queues of one request again after an exchange may have been lost, which takes the bindings along and leaves
 * the consumers: at once, but not too often; and again, for as long as that is refused.
 */
export class BindingRenewal {
  /** `stopped`: for good. */
  private state: NodeJS.Timeout | 'idle' | 'stopped' = 'idle';
  private triedAt = -Infinity;
  private failures = 0;
  private readonly bindings: readonly BindingDeclaration[];

  constructor(
    private readonly request: Pick<ConsumeRequest, 'queues' | 'topology'>,
    private readonly parts: RenewalParts,
  ) {
    this.bindings = request.topology.filter(isBinding);
  }

  /** A message of ours has found no queue, or with no routing key not even its exchange: our bindings may have gone with that. */
  notRouted(exchange: string, routingKey?: string): void {
    const bindings = this.bindings.filter((binding) => binding.exchange === exchange);
    if (bindings.length === 0 || !this.parts.consuming()) return;
    const isLost = routingKey === undefined || bindings.some((binding) => binding.routingKey === routingKey);
    const { losses } = this.parts;
    if (isLost && !losses.areReported)
      losses.report(this.request.queues, `exchange '${exchange}' has lost their bindings`);
    this.soon();
  }

  stop(): void {
    this.endTimer();
    this.state = 'stopped';
  }

  async now(): Promise<void> {
    if (this.state === 'stopped') return;
    this.endTimer();
    this.state = 'idle';
    this.triedAt = performance.now();
    if (await this.renew()) {
      this.failures = 0;
      return;
    }
    this.failures++;
    this.soon();
  }

  private soon(): void {
    if (this.state !== 'idle') return;
    const pauseMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** this.failures);
    this.state = setTimeout(() => void this.now(), Math.max(0, this.triedAt + pauseMs - performance.now()));
  }

  /** False: they were refused. */
  private async renew(): Promise<boolean> {
    const { losses, consuming, declare } = this.parts;
    const session = consuming();
    if (!session || this.bindings.length === 0) return true;
    try {
      await declare(session);
      if (consuming()) losses.restored();
    } catch (error) {
      if (!session.alive || this.state === 'stopped') return true;
      losses.report(this.request.queues, `they cannot be bound again: ${replyText(error)}`, error);
      return false;
    }
    return true;
  }

  private endTimer(): void {
    if (typeof this.state === 'object') clearTimeout(this.state);
  }
}

function isBinding(declaration: Declaration): declaration is BindingDeclaration {
  return declaration.kind === 'binding';
}
