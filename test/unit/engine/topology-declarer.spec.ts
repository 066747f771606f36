import { describe, expect, it } from 'vitest';
import type { ExchangeDeclaration, QueueDeclaration, Topology } from '../../../lib/wire/topology.js';
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

function exchangeOf(durable: boolean): ExchangeDeclaration {
  return { kind: 'exchange', name: 'nova', type: 'topic', durable, autoDelete: false };
}

/** As a server of ours with durable queues declares it. */
function topologyOf(name: string): Topology {
  return [
    exchangeOf(true),
    { ...queue(true), name },
    { kind: 'binding', queue: name, exchange: 'nova', routingKey: name },
  ];
}

/** A broker that refuses exchanges; what it was asked. */
function refusing(error: Error) {
  const asked: string[] = [];
  const declareExchange = async (): Promise<void> => {
    asked.push('declare');
    throw error;
  };
  const channel = { declareExchange };
  return { declarer: declarerOn({ ask: (_what: string, ask: (to: unknown) => unknown) => ask(channel) }), asked };
}

/** A broker with one exchange; what it was asked. `before` it is looked for, something may happen. */
function withExchange(there: { durable?: boolean }, before: () => void = () => undefined) {
  const asked: string[] = [];
  const declareExchange = async ({ durable }: { durable: boolean }): Promise<void> => {
    asked.push(durable ? 'durable' : 'transient');
    if (there.durable === undefined) there.durable = durable;
    else if (durable !== there.durable) throw inequivalent;
  };
  const inspectExchange = async (): Promise<void> => {
    asked.push('passive');
    before();
    if (there.durable === undefined) throw new BrokerRefusal(404, 'NOT_FOUND');
  };
  const declareQueue = async ({ name, durable }: QueueDeclaration): Promise<void> =>
    void asked.push(`queue ${name} ${durable ? 'durable' : 'transient'}`);
  const bindQueue = async ({ queue: name }: { queue: string }): Promise<void> => void asked.push(`bind ${name}`);
  const channel = { declareExchange, inspectExchange, declareQueue, bindQueue };
  const spare = { ask: (_what: string, operation: (channel: unknown) => unknown) => operation(channel) };
  return { declarer: declarerOn(spare), asked };
}

describe('an exchange that a peer made with another durability', () => {
  it.each([true, false])(
    'is taken as it is, and looked for by other topologies (ours durable: %j)',
    async (durable) => {
      const { declarer, asked } = withExchange({ durable: !durable });
      await declarer.declare([exchangeOf(durable)]);
      await declarer.declare([exchangeOf(durable)]);
      expect(asked).toEqual([durable ? 'durable' : 'transient', 'passive', 'passive']);
    },
  );

  it.each(['the same topology is declared again', 'what was declared is forgotten'])(
    'is asked for as configured when %s, and so are its queues',
    async (cause) => {
      const there: { durable?: boolean } = { durable: false };
      const { declarer, asked } = withExchange(there);
      const [first, other] = [topologyOf('one'), topologyOf('two')];
      await declarer.declare(first);
      // Whoever has mended the configuration makes it anew.
      there.durable = true;
      if (cause.startsWith('what')) declarer.forget();
      await declarer.declare(first);
      await declarer.declare(other);
      expect(asked).toEqual([
        ...['durable', 'passive', 'queue one transient', 'bind one'],
        ...['durable', 'queue one durable', 'bind one'],
        ...['durable', 'queue two durable', 'bind two'],
      ]);
    },
  );

  it('that is durable, and was not to be, makes no queue transient', async () => {
    const { declarer, asked } = withExchange({ durable: true });
    await declarer.declare([exchangeOf(false), ...topologyOf('one').slice(1)]);
    expect(asked).toEqual(['transient', 'passive', 'queue one durable', 'bind one']);
  });

  it('that goes before it is looked for is declared as configured', async () => {
    const there: { durable?: boolean } = { durable: false };
    const { declarer, asked } = withExchange(there, () => (there.durable = undefined));
    await declarer.declare(topologyOf('one'));
    expect(asked).toEqual(['durable', 'passive', 'durable', 'queue one durable', 'bind one']);
  });

  it.each([404, 405, 403])('is no matter of other refusals: %i', async (code) => {
    const { declarer, asked } = refusing(new BrokerRefusal(code, "inequivalent arg 'durable'"));
    await expect(declarer.declare([exchangeOf(true)])).rejects.toThrow("inequivalent arg 'durable'");
    expect(asked).toEqual(['declare']);
  });

  it('is declared as configured when it has gone', async () => {
    const there: { durable?: boolean } = { durable: false };
    const { declarer, asked } = withExchange(there);
    await declarer.declare([exchangeOf(true)]);
    there.durable = undefined;
    await declarer.declare([exchangeOf(true)]);
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
