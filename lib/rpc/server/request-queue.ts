import type { Delivery } from '../../broker/broker.js';
import type { IncomingRequest } from './incoming-request.js';
import type { RpcService } from './rpc-service.js';

/** A request that was received, read and not yet acknowledged. */
export interface HeldRequest {
  readonly delivery: Delivery;
  readonly request: IncomingRequest;
  readonly service: RpcService;
  /** About how many bytes of memory it takes. */
  readonly weight: number;
  /** Why it cannot be dispatched. */
  readonly problem?: Error;
}

/** First in, first out, without moving what remains at every step. */
export class RequestQueue {
  private held: (HeldRequest | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.held.length - this.head;
  }

  get first(): HeldRequest | undefined {
    return this.held[this.head];
  }

  push(request: HeldRequest): void {
    this.held.push(request);
  }

  shift(): HeldRequest | undefined {
    const first = this.held[this.head];
    if (first === undefined) return undefined;
    this.held[this.head] = undefined;
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.held.length) this.compact();
    return first;
  }

  /** Takes out all that `match`, in order. */
  takeAll(match: (request: HeldRequest) => boolean = () => true): HeldRequest[] {
    this.compact();
    const all = this.held as HeldRequest[];
    this.held = all.filter((request) => !match(request));
    return all.filter(match);
  }

  private compact(): void {
    this.held = this.held.slice(this.head);
    this.head = 0;
  }
}
