import type { MessageBroker } from '../../broker/broker.js';
import { MessagingTimeout, NoSuchMethod, RemoteError } from '../../errors/rpc.errors.js';
import { textOf } from '../../errors/text-of.js';
import { NotifierCore } from '../../notify/notifier/notifier-core.js';
import { RpcClient } from '../../rpc/client/rpc-client.js';
import type { RpcCallContext } from '../../rpc/client/rpc-call-context.js';
import type { Target } from '../../wire/target.js';
import { requireExchange } from '../bus/bus-session.js';
import { SILENT_METHOD, silentPing } from '../bus/silent-ping.js';
import { NobodyThere } from '../exit-codes.js';
import type { InterruptedRequest, RequestEnd } from './load-generator.js';

export const BENCH_KINDS = ['call', 'cast', 'notify'] as const;

/** The request that is sent, again and again. */
export interface BenchRequest {
  readonly kind: (typeof BENCH_KINDS)[number];
  readonly target: Target & { readonly exchange: string; readonly topic: string };
  /** Or the event type. */
  readonly method: string;
  readonly args: Record<string, unknown>;
  readonly timeoutMs: number;
  /** Sent although nobody takes the notifications. */
  readonly fill: boolean;
}

/** The end that requests of a load go to. */
export interface BenchTarget {
  /** Fails before anything is measured, where every request would. */
  check(): Promise<void>;
  /** Never rejects. */
  send(interrupted: AbortSignal): Promise<InterruptedRequest | RequestEnd>;
  close(): Promise<void>;
}

export function benchTarget(broker: MessageBroker, request: BenchRequest): BenchTarget {
  return request.kind === 'notify' ? new NotifyTarget(broker, request) : new RpcTarget(broker, request);
}

class RpcTarget implements BenchTarget {
  private readonly client: RpcClient;
  private readonly to: RpcCallContext;

  constructor(
    private readonly broker: MessageBroker,
    private readonly request: BenchRequest,
  ) {
    const { target, timeoutMs } = request;
    this.client = new RpcClient(broker, target, {
      timeout: timeoutMs / 1_000,
      transportOptions: { atLeastOnce: true },
    });
    this.to = this.client.prepare({});
  }

  /** A version that is not served would be an ERROR in the log of the service, thousands of times. */
  async check(): Promise<void> {
    const { exchange } = this.request.target;
    await requireExchange(this.broker, exchange);
    await silentPing(this.to);
  }

  async send(signal: AbortSignal): Promise<InterruptedRequest | RequestEnd> {
    const { kind, method, args } = this.request;
    try {
      await (kind === 'call' ? this.to.call(method, args, { signal }) : this.to.cast(method, args));
      return { outcome: 'answered' };
    } catch (error) {
      // The refusal is the answer.
      if (method === SILENT_METHOD && (error instanceof NoSuchMethod || error instanceof RemoteError))
        return { outcome: 'answered' };
      if (error instanceof MessagingTimeout) return { outcome: 'timed out' };
      if (error instanceof Error && error.name === 'AbortError') return { outcome: 'interrupted' };
      return { outcome: 'failed', reason: textOf(error) };
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

class NotifyTarget implements BenchTarget {
  private readonly notifier: NotifierCore;
  private readonly queue: string;

  constructor(
    private readonly broker: MessageBroker,
    private readonly request: BenchRequest,
  ) {
    const { exchange, topic } = request.target;
    this.queue = `${topic}.info`;
    this.notifier = new NotifierCore(broker, { exchange, topics: [topic], publisherId: 'oslo-bus.bench', retry: 0 });
  }

  async check(): Promise<void> {
    if (this.request.fill) return;
    const { consumers } = (await this.broker.inspectQueue(this.queue)) ?? { consumers: 0 };
    if (consumers > 0) return;
    throw new NobodyThere(
      `nobody consumes '${this.queue}': notifications would fill it (--fill sends them all the same)`,
    );
  }

  async send(): Promise<RequestEnd> {
    const { method, args } = this.request;
    try {
      await this.notifier.info(method, args, { context: {} });
      return { outcome: 'answered' };
    } catch (error) {
      return { outcome: 'failed', reason: textOf(error) };
    }
  }

  close(): Promise<void> {
    return this.notifier.close();
  }
}
