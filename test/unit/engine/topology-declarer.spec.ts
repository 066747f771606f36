import { describe, expect, it } from 'vitest';
import type { QueueDeclaration } from '../../../lib/wire/topology.js';
import { EventChannel } from '../../../lib/events/event-channel.js';
import { ClosingRequests } from '../../../lib/broker/engine/connection/closing-requests.js';
import type { RequestChannel } from '../../../lib/broker/engine/connection/broker-request.js';
import { BrokerRefusal, type LinkChannel } from '../../../lib/broker/link.js';
import { TopologyDeclarer } from '../../../lib/broker/engine/connection/topology-declarer.js';

const stopped = new BrokerRefusal(404, "NOT_FOUND - queue 'work' in vhost '/' process is stopped by supervisor");

/** A broker that refuses the first declaration of a queue; what it was asked. */
function refusingOnce(error: Error) {
  const asked: string[] = [];
  const declareQueue = async ({ name }: { name: string }): Promise<void> => {
    asked.push(`declare ${name}`);
    if (asked.length === 1) throw error;
  };
  const deleteQueue = async (name: string): Promise<void> => void asked.push(`delete ${name}`);
  const channel = { declareQueue, deleteQueue } as unknown as LinkChannel;
  const spare = { ask: (_what: string, operation: (channel: LinkChannel) => unknown) => operation(channel) };
  return { declarer: declarerOn(spare), asked };
}

function declarerOn(spare: unknown): TopologyDeclarer {
  const connection = { host: 'mq1:5672', endedBy: undefined };
  return new TopologyDeclarer(spare as RequestChannel, new ClosingRequests(), connection, new EventChannel());
}

function queue(durable: boolean): QueueDeclaration {
  return { kind: 'queue', name: 'work', durable, autoDelete: false, arguments: {} };
}

const inequivalent = new BrokerRefusal(
  406,
  "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'nova' in vhost '/': received 'true' but current is 'false'",
);

/** A broker with one exchange; what it was asked. */
function withExchange(there: { durable?: boolean }) {
  const asked: string[] = [];
  const declareExchange = async ({ durable }: { durable: boolean }): Promise<void> => {
    asked.push(durable ? 'durable' : 'transient');
    if (there.durable === undefined) there.durable = durable;
    else if (durable !== there.durable) throw inequivalent;
  };
  const inspectExchange = async (): Promise<void> => {
    asked.push('passive');
    if (there.durable === undefined) throw new BrokerRefusal(404, 'NOT_FOUND');
  };
  const channel = { declareExchange, inspectExchange };
  const spare = { ask: (_what: string, operation: (channel: unknown) => unknown) => operation(channel) };
  return { declarer: declarerOn(spare), asked };
}

describe('an exchange that a peer made with another durability', () => {
  it.each([true, false])('is taken as it is, and looked for from then on (ours durable: %j)', async (durable) => {
    const { declarer, asked } = withExchange({ durable: !durable });
    const exchange = { kind: 'exchange', name: 'nova', type: 'topic', durable, autoDelete: false } as const;
    await declarer.declare([exchange]);
    await declarer.declare([exchange]);
    expect(asked).toEqual([durable ? 'durable' : 'transient', 'passive', 'passive']);
  });

  it('is declared as configured when it has gone', async () => {
    const there: { durable?: boolean } = { durable: false };
    const { declarer, asked } = withExchange(there);
    const exchange = { kind: 'exchange', name: 'nova', type: 'topic', durable: true, autoDelete: false } as const;
    await declarer.declare([exchange]);
    there.durable = undefined;
    await declarer.declare([exchange]);
    expect(asked).toEqual(['durable', 'passive', 'passive', 'durable']);
  });
});

describe('a queue that its virtual host has left behind without a process', () => {
  it('is made anew', async () => {
    const { declarer, asked } = refusingOnce(stopped);
    await declarer.declare([queue(false)]);
    expect(asked).toEqual(['declare work', 'delete work', 'declare work']);
  });

  it('is left as it is where it is durable: it may have messages', async () => {
    const { declarer, asked } = refusingOnce(stopped);
    await expect(declarer.declare([queue(true)])).rejects.toBe(stopped);
    expect(asked).toEqual(['declare work']);
  });
});
