import { describe, expect, it } from 'vitest';
import { InvalidTarget, PreconditionFailed } from '../../lib/index.js';
import type { Declaration } from '../../lib/wire/topology.js';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { binding, exchange, queue } from './declarations.js';

type Make = (name: string) => Declaration;

const mismatches: [what: string, existing: Make, wanted: Make][] = [
  ['a queue that deletes itself', (name) => queue(name, { autoDelete: true }), (name) => queue(name)],
  [
    'a queue with another x-expires',
    (name) => queue(name, { arguments: { 'x-expires': 60_000 } }),
    (name) => queue(name, { arguments: { 'x-expires': 70_000 } }),
  ],
  ['a queue without x-expires', (name) => queue(name), (name) => queue(name, { arguments: { 'x-expires': 60_000 } })],
  ['an exchange of another type', (name) => exchange(name), (name) => exchange(name, { type: 'fanout' })],
  ['an exchange that deletes itself', (name) => exchange(name, { autoDelete: true }), (name) => exchange(name)],
];

export function describeTopology(clients: Clients): void {
  describe('topology', () => {
    it.each(mismatches)('%s is not taken for something else', async (_what, existing, wanted) => {
      const broker = await clients.connect();
      const [name, own] = [unique('thing'), unique('q')];
      await declare(broker, [existing(name)]);
      const consuming = consume(broker, [own], { topology: [queue(own), wanted(name)] });
      await expect(consuming).rejects.toBeInstanceOf(PreconditionFailed);
      await expect(consuming).rejects.toMatchObject({ resource: name, fault: 'caller' });
      const working = await consume(broker, [own]);
      await fill(broker, own, 'still works');
      expect(await working.log.takeTexts(1)).toEqual(['still works']);
      await broker.deleteQueue(name);
    });

    it('what is durable is taken as it is where we want it otherwise', async () => {
      const [peer, broker] = [await clients.connect(), await clients.connect()];
      const [bus, name] = [unique('topic'), unique('q')];
      const topology = (durable: boolean) => [
        exchange(bus, { durable }),
        queue(name, { durable }),
        binding(name, bus, name),
      ];
      await declare(peer, topology(true));
      const { log } = await consume(broker, [name], { topology: topology(false) });
      await broker.publish({ exchange: bus, routingKey: name, body: '1', topology: topology(false) });
      expect(await log.takeTexts(1)).toEqual(['1']);
    });

    it('durable ones are taken as they are where a peer has made them otherwise, their queues too', async () => {
      const [peer, broker] = [await clients.connect(), await clients.connect()];
      const [bus, existing, fresh] = [unique('topic'), unique('q'), unique('q')];
      const topology = (durable: boolean) => [
        exchange(bus, { durable }),
        ...[existing, fresh].flatMap((name) => [queue(name, { durable }), binding(name, bus, name)]),
      ];
      await declare(peer, [exchange(bus), queue(existing)]);
      const { log } = await consume(broker, [existing, fresh], { topology: topology(true) });
      await declare(peer, topology(false));
      await peer.publish({ exchange: bus, routingKey: existing, body: '1' });
      await peer.publish({ exchange: bus, routingKey: fresh, body: '2' });
      expect((await log.takeTexts(2)).sort()).toEqual(['1', '2']);
    });

    it.each([
      ['an exchange', (long: string) => [exchange(long)]],
      ['a queue', (long: string) => [queue(long)]],
    ])('a name of %s that AMQP cannot write is refused, and stops nobody else', async (_what, topology) => {
      const broker = await clients.connect();
      const name = unique('q');
      const publish = broker.publish({
        exchange: '',
        routingKey: name,
        body: '1',
        topology: topology('é'.repeat(128)),
      });
      await expect(publish).rejects.toBeInstanceOf(InvalidTarget);
      const consuming = consume(broker, [name], { topology: [queue(name), ...topology('x'.repeat(256))] });
      await expect(consuming).rejects.toBeInstanceOf(InvalidTarget);
      const { log } = await consume(broker, [name], { topology: [queue(name), ...topology('x'.repeat(255))] });
      await fill(broker, name, 'still works');
      expect(await log.takeTexts(1)).toEqual(['still works']);
      await broker.deleteQueue('x'.repeat(255));
    });

    it('declaring the same again changes nothing', async () => {
      const [one, two] = [await clients.connect(), await clients.connect()];
      const [bus, name] = [unique('topic'), unique('q')];
      const topology = () => [exchange(bus), queue(name), binding(name, bus, 'x')];
      await one.publish({ exchange: bus, routingKey: 'x', body: '1', topology: topology() });
      const { log } = await consume(two, [name], { topology: topology() });
      await two.publish({ exchange: bus, routingKey: 'x', body: '2', topology: topology() });
      expect(await log.takeTexts(2)).toEqual(['1', '2']);
    });

    it('there is nothing to see of a queue that does not exist', async () => {
      const broker = await clients.connect();
      expect(await broker.inspectQueue(unique('none'))).toBeUndefined();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('a deleted queue is gone with its messages; deleting it again is fine', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await fill(broker, name, '1');
      await broker.deleteQueue(name);
      await broker.deleteQueue(name);
      expect(await broker.inspectQueue(name)).toBeUndefined();
      await declare(broker, [queue(name)]);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 0 });
    });

    it('an auto-delete exchange goes with its last binding', async () => {
      const broker = await clients.connect();
      const [bus, one, two] = [unique('fanout'), unique('q'), unique('q')];
      const fanout = exchange(bus, { type: 'fanout', autoDelete: true });
      const publish = () => broker.publish({ exchange: bus, routingKey: '', body: '1' });
      await declare(broker, [fanout]);
      await publish();
      await declare(broker, [queue(one), queue(two), binding(one, bus, 'x'), binding(two, bus, 'x')]);
      await broker.deleteQueue(one);
      await publish();
      await broker.deleteQueue(two);
      await expect(publish()).rejects.toThrow(/no exchange/);
    });

    it('an exclusive queue is for its connection alone, and goes with it', async () => {
      const [owner, other] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const topology = [queue(name, { exclusive: true })];
      const { log } = await consume(owner, [name], { topology });
      await fill(other, name, '1');
      expect(await log.takeTexts(1)).toEqual(['1']);
      await expect(other.inspectQueue(name)).rejects.toThrow(/exclusive/);
      await expect(consume(other, [name], { topology, giveUpMs: 0 })).rejects.toThrow(/exclusive/);
      await owner.close();
      await expect(consume(other, [name], { topology })).resolves.toBeDefined();
    });

    it('an auto-delete queue goes with its last consumer', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const topology = [queue(name, { autoDelete: true })];
      const first = await consume(broker, [name], { topology });
      const second = await consume(broker, [name], { topology });
      await first.subscription.close();
      expect(await broker.inspectQueue(name)).toEqual({ messages: 0, consumers: 1 });
      await second.subscription.close();
      expect(await broker.inspectQueue(name)).toBeUndefined();
    });
  });
}
