import type { ConsumeRequest, Delivery } from '../../../lib/broker/broker.js';
import type { Topology } from '../../../lib/wire/topology.js';
import { eventually } from '../../support/eventually.js';

/** What a consumer got, in order. */
export class CollectedDeliveries {
  readonly all: Delivery[] = [];
  readonly batches: number[] = [];
  interruptions = 0;
  private taken = 0;

  request(topology: Topology, overrides: Partial<ConsumeRequest> = {}): ConsumeRequest {
    return {
      topology,
      queues: topology.flatMap((declaration) => (declaration.kind === 'queue' ? [declaration.name] : [])),
      prefetch: 0,
      onDeliveries: (deliveries) => {
        this.all.push(...deliveries);
        this.batches.push(deliveries.length);
      },
      onInterrupted: () => void this.interruptions++,
      ...overrides,
    };
  }

  next(): Promise<Delivery> {
    const index = this.taken++;
    return eventually(() => this.all[index], `delivery ${index + 1}`);
  }

  get bodies(): string[] {
    return this.all.map(({ body }) => Buffer.from(body).toString());
  }
}

export function collect(): CollectedDeliveries {
  return new CollectedDeliveries();
}
