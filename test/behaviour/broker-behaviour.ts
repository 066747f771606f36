import { describe } from 'vitest';
import { describeAcknowledging } from './acknowledging.behaviour.js';
import type { BusUnderTest } from './bus-under-test.js';
import { Clients } from './clients.js';
import { describeClosing } from './closing.behaviour.js';
import { describeContext } from './context.behaviour.js';
import { describeConsuming } from './consuming.behaviour.js';
import { describeExpiry } from './expiry.behaviour.js';
import { describePublishing } from './publishing.behaviour.js';
import { describeRecovery } from './recovery.behaviour.js';
import { describeRouting } from './routing.behaviour.js';
import { describeTopology } from './topology.behaviour.js';

/** What every `Broker` does, whatever bus is behind it. */
export function describeBroker(name: string, bus: BusUnderTest): void {
  describe(name, () => {
    const clients = new Clients(bus);
    describeRouting(clients);
    describePublishing(clients);
    describeAcknowledging(clients);
    describeConsuming(clients);
    describeTopology(clients);
    describeExpiry(clients);
    describeRecovery(clients, bus);
    describeClosing(clients);
    describeContext(clients, bus);
  });
}
