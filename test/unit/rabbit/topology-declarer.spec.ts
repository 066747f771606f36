import type { Channel } from 'amqplib';
import { describe, expect, it } from 'vitest';
import type { QueueDeclaration } from '../../../lib/index.js';
import { ClosingRequests } from '../../../lib/broker/rabbit/closing-requests.js';
import type { SpareChannel } from '../../../lib/broker/rabbit/spare-channel.js';
import { TopologyDeclarer } from '../../../lib/broker/rabbit/topology-declarer.js';

const stopped = Object.assign(
  new Error(
    "Operation failed: QueueDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - queue 'work' in vhost '/' process is stopped by supervisor\"",
  ),
  { code: 404 },
);

/** A broker that refuses the first declaration of a queue; what it was asked. */
function refusingOnce(error: Error) {
  const asked: string[] = [];
  const assertQueue = async (name: string): Promise<void> => {
    asked.push(`declare ${name}`);
    if (asked.length === 1) throw error;
  };
  const deleteQueue = async (name: string): Promise<void> => void asked.push(`delete ${name}`);
  const channel = { assertQueue, deleteQueue } as unknown as Channel;
  const spare = { run: (_what: string, operation: (channel: Channel) => unknown) => operation(channel) };
  return { declarer: declarerOn(spare), asked };
}

function declarerOn(spare: unknown): TopologyDeclarer {
  const nothing = (): undefined => undefined;
  return new TopologyDeclarer(spare as SpareChannel, nothing, new ClosingRequests(), { endedBy: undefined });
}

function queue(durable: boolean): QueueDeclaration {
  return { kind: 'queue', name: 'work', durable, autoDelete: false, arguments: {} };
}

const inequivalent = Object.assign(
  new Error(
    "Operation failed: ExchangeDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'nova'\"",
  ),
  { code: 406 },
);

describe('an exchange that a peer made non-durable', () => {
  it('is declared durable again when somebody has made it so', async () => {
    let isDurable = false;
    const asked: boolean[] = [];
    const assertExchange = async (_name: string, _type: string, { durable }: { durable: boolean }): Promise<void> => {
      asked.push(durable);
      if (durable !== isDurable) throw inequivalent;
    };
    const spare = { run: (_what: string, operation: (channel: unknown) => unknown) => operation({ assertExchange }) };
    const declarer = declarerOn(spare);
    const exchange = { kind: 'exchange', name: 'nova', type: 'topic', durable: true, autoDelete: false } as const;
    await declarer.declare([exchange]);
    await declarer.declare([exchange]);
    isDurable = true;
    await declarer.declare([exchange]);
    await declarer.declare([exchange]);
    expect(asked).toEqual([true, false, false, false, true, true]);
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
