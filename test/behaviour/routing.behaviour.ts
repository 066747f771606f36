import { describe, expect, it } from 'vitest';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { binding, exchange, queue } from './declarations.js';

// AMQP 0-9-1, 3.1.3.3: words are separated by dots, * matches one word, # zero or more.
const topicCases: [pattern: string, routingKey: string, matches: boolean][] = [
  ['a.b', 'a.b', true],
  ['a.b', 'a.b.c', false],
  ['a', 'A', false],
  ['', '', true],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.*', 'a.b.c', false],
  ['a.*', 'a.', true],
  ['*', 'a', true],
  ['*', '', false],
  ['*.b', 'a.b', true],
  ['*.*', 'a', false],
  ['a*', 'ab', false],
  ['a#', 'ab', false],
  ['#', '', true],
  ['#', 'a.b.c', true],
  ['a.#', 'a', true],
  ['a.#', 'a.b.c', true],
  ['a.#', 'b.a', false],
  ['#.c', 'c', true],
  ['#.c', 'a.b.c', true],
  ['#.c', 'a.b', false],
  ['a.#.d', 'a.d', true],
  ['a.#.d', 'a.b.c.d', true],
  ['a.#.d', 'a.b.c', false],
  ['#.b.#', 'a.b.c.b.d', true],
  ['*.#', '', false],
  ['*.#.*', 'a', false],
  ['*.#.*', 'a.b', true],
  ['#.*.b', 'a.c.b', true],
];

export function describeRouting(clients: Clients): void {
  describe('routing', () => {
    it.each(topicCases)('a topic binding %j for the key %j: %j', async (pattern, routingKey, matches) => {
      const broker = await clients.connect();
      const [bus, name] = [unique('topic'), unique('q')];
      const topology = [exchange(bus), queue(name), binding(name, bus, pattern)];
      await broker.publish({ exchange: bus, routingKey, body: '1', topology });
      expect(await broker.inspectQueue(name)).toEqual({ messages: matches ? 1 : 0, consumers: 0 });
      await broker.deleteQueue(name);
    });

    it('a message comes once to a queue that several bindings name', async () => {
      const broker = await clients.connect();
      const [bus, name] = [unique('topic'), unique('q')];
      const keys = ['a.b', 'a.*', '#', 'a.b'];
      const topology = [exchange(bus), queue(name), ...keys.map((key) => binding(name, bus, key))];
      await broker.publish({ exchange: bus, routingKey: 'a.b', body: '1', topology });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
    });

    it('a topic exchange copies a message to every queue that matches, and no other', async () => {
      const broker = await clients.connect();
      const bus = unique('topic');
      const [one, two, other] = [unique('q'), unique('q'), unique('q')];
      const topology = [
        exchange(bus),
        ...[one, two, other].map((name) => queue(name)),
        binding(one, bus, 'x'),
        binding(two, bus, 'x'),
        binding(other, bus, 'y'),
      ];
      await broker.publish({ exchange: bus, routingKey: 'x', body: '1', topology });
      const counts = await Promise.all([one, two, other].map((name) => broker.inspectQueue(name)));
      expect(counts.map((count) => count?.messages)).toEqual([1, 1, 0]);
    });

    it('a fanout exchange sends to every bound queue, whatever the keys', async () => {
      const broker = await clients.connect();
      const bus = unique('fanout');
      const [one, two, other] = [unique('q'), unique('q'), unique('q')];
      const topology = [
        exchange(bus, { type: 'fanout' }),
        ...[one, two, other].map((name) => queue(name)),
        binding(one, bus, 'x'),
        binding(one, bus, 'z'),
        binding(two, bus, 'y'),
      ];
      await broker.publish({ exchange: bus, routingKey: 'x', body: '1', topology });
      const counts = await Promise.all([one, two, other].map((name) => broker.inspectQueue(name)));
      expect(counts.map((count) => count?.messages)).toEqual([1, 1, 0]);
    });

    it('the default exchange routes by the name of the queue', async () => {
      const broker = await clients.connect();
      const name = unique('q.with.dots');
      const { log } = await consume(broker, [name]);
      await fill(broker, name, 'hello');
      const { delivery, text } = await log.takeOne();
      expect(text).toBe('hello');
      expect(delivery).toMatchObject({ queue: name, exchange: '', routingKey: name, redelivered: false });
    });

    it('a queue bound to two exchanges hears both', async () => {
      const broker = await clients.connect();
      const [first, second, name] = [unique('topic'), unique('topic'), unique('q')];
      const bind = (bus: string) => [exchange(bus), queue(name), binding(name, bus, name)];
      const { log } = await consume(broker, [name], { topology: bind(first) });
      await declare(broker, bind(second));
      await broker.publish({ exchange: first, routingKey: name, body: '1' });
      await broker.publish({ exchange: second, routingKey: name, body: '2' });
      const taken = await log.take(2);
      expect(taken.map(({ delivery }) => delivery.exchange)).toEqual([first, second]);
    });
  });
}
