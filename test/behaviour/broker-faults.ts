import { afterEach, describe } from 'vitest';
import type { FaultyBus } from './bus-under-test.js';
import { describeBlocking } from './blocking.behaviour.js';
import { Clients } from './clients.js';
import { describeDelay } from './delay.behaviour.js';
import { describeLostConsumers } from './lost-consumers.behaviour.js';
import { describeRefusal } from './refusal.behaviour.js';
import { describeServing } from './serving.behaviour.js';

/** What every `Broker` does when its bus has a fault, whatever bus that is. */
export function describeFaults(name: string, bus: FaultyBus): void {
  describe(`${name}, on a bus`, () => {
    afterEach(async () => {
      await Promise.all([bus.accept(), bus.unblock(), bus.delay(0)]);
    });
    const clients = new Clients(bus);
    describeRefusal(clients, bus);
    describeBlocking(clients, bus);
    describeDelay(clients, bus);
    describeLostConsumers(clients, bus);
    describeServing(clients, bus);
  });
}
