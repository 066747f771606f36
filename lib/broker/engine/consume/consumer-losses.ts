import type { EventChannel } from '../../../events/event-channel.js';
import type { BindingDeclaration } from '../../../wire/topology.js';
import type { ConsumeRequest } from '../../broker.js';
import { replyText } from '../connection/reply-codes.js';

/** Tells which queues of one request are not consumed, and when they are again. */
export class ConsumerLosses {
  readonly bindings: readonly BindingDeclaration[];
  private lastText: string | undefined;

  constructor(
    private readonly events: EventChannel,
    private readonly request: Pick<ConsumeRequest, 'queues' | 'topology'>,
    /** Those of all requests: one that could not begin is told to be back by the next on its queue. */
    private readonly lost: Set<string>,
    private readonly connection: { readonly bus: string | undefined },
  ) {
    this.bindings = request.topology.filter((one) => one.kind === 'binding');
  }

  isBoundTo(exchange: string): boolean {
    return this.bindings.some((binding) => binding.exchange === exchange);
  }

  /** A message has found no queue, or with no routing key not even its exchange: with that our bindings may have gone. */
  notRouted(exchange: string, routingKey?: string): void {
    const isOurs = this.bindings.some((one) => one.exchange === exchange && one.routingKey === routingKey);
    const { queues } = this.request;
    if ((isOurs || routingKey === undefined) && !queues.some((queue) => this.lost.has(queue)))
      this.report(queues, `exchange '${exchange}' has lost their bindings`);
  }

  /** Each reason once, however often it is met. */
  report(queues: readonly string[], reason: string, error?: unknown): void {
    for (const queue of queues) this.lost.add(queue);
    const text = `${queues.join(', ')}: ${reason}`;
    if (text === this.lastText) return;
    this.lastText = text;
    const message = `Not consuming ${this.named(queues)}: ${reason}`;
    this.events.emit({ type: 'consumers-lost', level: 'warn', message, queues, error });
  }

  /** Callbacks of consumers promise not to throw; thrown on, it would cost the connection. */
  guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      const queue = this.request.queues.join(', ');
      const message = `Taking deliveries of ${queue} failed: ${replyText(error)}`;
      this.events.emit({ type: 'message-rejected', level: 'error', message, queue, error });
    }
  }

  restored(): void {
    this.lastText = undefined;
    const queues = this.request.queues.filter((queue) => this.lost.delete(queue));
    if (queues.length === 0) return;
    const message = `Consuming again: ${this.named(queues)}`;
    this.events.emit({ type: 'consumers-restored', level: 'log', message, queues });
  }

  /** The request has ended: nobody misses its queues. */
  end(): void {
    for (const queue of this.request.queues) this.lost.delete(queue);
  }

  private named(queues: readonly string[]): string {
    const { bus } = this.connection;
    return `${queues.join(', ')}${bus === undefined ? '' : ` on ${bus}`}`;
  }
}
