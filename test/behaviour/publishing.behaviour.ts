import { describe, expect, it } from 'vitest';
import { MessageDeliveryFailure, MessageUndeliverable, PreconditionFailed } from '../../lib/index.js';
import type { MessagePurpose } from '../../lib/broker/broker.js';
import { consume, declare, fill, unique, type Clients } from './clients.js';
import { binding, exchange, queue } from './declarations.js';

export function describePublishing(clients: Clients): void {
  describe('publishing', () => {
    it('a confirmed message is in the queue', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      await broker.publish({ exchange: '', routingKey: name, body: '{}' });
      expect(await broker.inspectQueue(name)).toEqual({ messages: 1, consumers: 0 });
    });

    it('what no queue takes is dropped in silence', async () => {
      const broker = await clients.connect();
      const bus = unique('topic');
      await broker.publish({ exchange: bus, routingKey: 'x', body: '1', topology: [exchange(bus)] });
      await expect(broker.publish({ exchange: '', routingKey: unique('none'), body: '1' })).resolves.toBeUndefined();
    });

    it('a mandatory message that no queue takes is returned', async () => {
      const broker = await clients.connect();
      const bus = unique('topic');
      const topology = [exchange(bus)];
      const sent = broker.publish({ exchange: bus, routingKey: 'x.y', body: '1', topology, mandatory: true });
      await expect(sent).rejects.toBeInstanceOf(MessageUndeliverable);
      await expect(sent).rejects.toMatchObject({ exchange: bus, routingKey: 'x.y', code: 'OSLO_NO_ROUTE' });
      const name = unique('none');
      await expect(fill(broker, name, '1')).rejects.toMatchObject({ exchange: '', routingKey: name });
    });

    it('what awaits its queue is kept until that is back, and dropped in silence where none was ever seen', async () => {
      const [broker, other] = [await clients.connect(), await clients.connect()];
      const name = unique('q');
      const request = (routingKey: string) =>
        broker.publish({ exchange: '', routingKey, body: routingKey, awaitQueue: true });
      await expect(request(unique('none'))).resolves.toBeUndefined();
      await declare(other, [queue(name)]);
      await request(name);
      await other.deleteQueue(name);
      const sent = [request(name), request(name)];
      expect(await Promise.race([Promise.allSettled(sent), aMoment()])).toBe('a moment');
      const { log } = await consume(other, [name]);
      await Promise.all(sent);
      expect(await log.takeTexts(2)).toEqual([name, name]);
    });

    it('only the returned ones of many fail', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name)]);
      const keys = [name, unique('none'), name, unique('none'), name];
      const outcomes = await Promise.allSettled(keys.map((key) => fill(broker, key, '1')));
      expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, false, true]);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 3, consumers: 0 });
    });

    it('an unknown exchange is a clear failure, and harms no other message', async () => {
      const broker = await clients.connect();
      const [name, missing] = [unique('q'), unique('missing')];
      const { log } = await consume(broker, [name]);
      const before = fill(broker, name, 'before');
      const lost = broker.publish({ exchange: missing, routingKey: 'x', body: '1' });
      const after = fill(broker, name, 'after');
      await expect(lost).rejects.toBeInstanceOf(MessageDeliveryFailure);
      await expect(lost).rejects.toThrow(new RegExp(`no exchange '${missing}'`));
      await expect(lost).rejects.toMatchObject({ exchange: missing, routingKey: 'x' });
      await Promise.all([before, after]);
      const texts = new Set<string>();
      // Sent twice it may be: its confirm can be lost with the channel.
      while (texts.size < 2) texts.add((await log.takeOne()).text);
      expect(texts).toEqual(new Set(['before', 'after']));
    });

    it('declares what a message needs before it', async () => {
      const broker = await clients.connect();
      const [bus, name] = [unique('topic'), unique('q')];
      const topology = [exchange(bus), queue(name), binding(name, bus, 'x')];
      const sent = [1, 2, 3].map((n) => broker.publish({ exchange: bus, routingKey: 'x', body: `${n}`, topology }));
      await Promise.all(sent);
      expect(await broker.inspectQueue(name)).toEqual({ messages: 3, consumers: 0 });
    });

    it('declares again when the exchange has gone with its last queue', async () => {
      const broker = await clients.connect();
      const [bus, name] = [unique('fanout'), unique('q')];
      const fanout = exchange(bus, { type: 'fanout', autoDelete: true });
      const topology = [fanout];
      await declare(broker, [fanout, queue(name), binding(name, bus, 'x')]);
      await broker.publish({ exchange: bus, routingKey: 'x', body: '1', topology });
      await broker.deleteQueue(name);
      await expect(broker.publish({ exchange: bus, routingKey: 'x', body: '2' })).rejects.toThrow(/no exchange/);
      await declare(broker, [fanout, queue(name), binding(name, bus, 'x')]);
      await broker.deleteQueue(name);
      await expect(broker.publish({ exchange: bus, routingKey: 'x', body: '3', topology })).resolves.toBeUndefined();
    });

    it('refuses when the topology exists with other properties', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      await declare(broker, [queue(name, { autoDelete: true })]);
      const declared = declare(broker, [queue(name)]);
      await expect(declared).rejects.toBeInstanceOf(PreconditionFailed);
      await expect(declared).rejects.toMatchObject({ resource: name, code: 'OSLO_TOPOLOGY', retryable: false });
      await fill(broker, name, 'still works');
      await broker.deleteQueue(name);
    });

    it('keeps the order of many', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      const texts = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
      await fill(broker, name, ...texts);
      expect(await log.takeTexts(texts.length)).toEqual(texts);
    });

    it.each([
      ['an empty object', '{}'],
      ['unicode', JSON.stringify({ text: 'žluťoučký kůň 馬 🐎 \u0000 \u2028' })],
      ['a mebibyte', JSON.stringify('x'.repeat(2 ** 20))],
    ])('brings %s unharmed', async (_what, body) => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      await fill(broker, name, body);
      const { text, delivery } = await log.takeOne();
      expect(text === body).toBe(true);
      expect(delivery.body).toBeInstanceOf(Uint8Array);
    });

    it('has the properties of oslo.messaging', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      await fill(broker, name, '{}');
      await broker.publish({ exchange: '', routingKey: name, body: '{}', expirationMs: 60_000 });
      const [plain, expiring] = await log.take(2);
      expect(plain!.delivery.properties).toEqual({
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        headers: {},
      });
      expect(expiring!.delivery.properties.expirationMs).toBe(60_000);
    });

    it('never delivers inside the call of publish', async () => {
      const broker = await clients.connect();
      const name = unique('q');
      let publishing = false;
      const inside: boolean[] = [];
      const { log } = await consume(broker, [name], {
        onDeliveries: (deliveries) => {
          inside.push(publishing);
          log.add(deliveries);
        },
      });
      publishing = true;
      const sent = fill(broker, name, '1', '2');
      publishing = false;
      await sent;
      await log.take(2);
      expect(inside).not.toContain(true);
    });

    it('refuses what is larger than may be sent, and nothing else', async () => {
      const broker = await clients.connect({ maxOutgoingMessageBytes: 100 });
      const name = unique('q');
      const { log } = await consume(broker, [name]);
      const sent = ['x'.repeat(100), 'x'.repeat(101), '馬'.repeat(33), '馬'.repeat(34)].map((text) =>
        fill(broker, name, text),
      );
      const outcomes = await Promise.allSettled(sent);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
      const facts = { code: 'OSLO_WIRE_MALFORMED', fault: 'caller', retryable: false };
      expect(outcomes[3]).toMatchObject({ reason: { ...facts, message: expect.stringContaining('102 bytes') } });
      expect(await log.takeTexts(2)).toEqual(['x'.repeat(100), '馬'.repeat(33)]);
    });

    it('takes no more than the bound of bytes in flight, and one that is larger alone', async () => {
      const broker = await clients.connect({ maxInFlightBytes: 7000 });
      const name = unique('q');
      await declare(broker, [queue(name)]);
      const outcomes = await Promise.allSettled(['馬'.repeat(1000), '1', '2'].map((text) => fill(broker, name, text)));
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      // Text and encoded form: 2000 + 3000 and 1 + 1, and 1024 for each message.
      const message = '7050 bytes are held for unconfirmed messages already (maxInFlightBytes)';
      expect(outcomes[2]).toMatchObject({ reason: { code: 'OSLO_DELIVERY', retryable: true, message } });
      await fill(broker, name, 'x'.repeat(7001));
      expect(await broker.inspectQueue(name)).toEqual({ messages: 3, consumers: 0 });
    });

    it('takes no more than the bound of messages in flight', async () => {
      const broker = await clients.connect({ maxInFlightMessages: 2 });
      const name = unique('q');
      await declare(broker, [queue(name)]);
      const outcomes = await Promise.allSettled(['1', '2', '3'].map((text) => fill(broker, name, text)));
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      expect(outcomes[2]).toMatchObject({ reason: { code: 'OSLO_DELIVERY' } });
      await fill(broker, name, '4');
      expect(await broker.inspectQueue(name)).toEqual({ messages: 3, consumers: 0 });
    });

    it('counts requests and notifications apart, and never refuses what is owed', async () => {
      const broker = await clients.connect({ maxInFlightMessages: 2 });
      const name = unique('q');
      await declare(broker, [queue(name)]);
      const send = (purpose?: MessagePurpose): Promise<void>[] =>
        ['1', '2', '3'].map((body) => broker.publish({ exchange: '', routingKey: name, body, purpose }));
      const outcomes = await Promise.allSettled([send('notification'), send(), send('request'), send('owed')].flat());
      const taken = outcomes.map(({ status }) => status === 'fulfilled');
      // Without a purpose it is a request.
      const [notifications, requests, owed] = [
        [true, true, false],
        [true, true, false, false, false, false],
        [true, true, true],
      ];
      expect(taken).toEqual([...notifications, ...requests, ...owed]);
    });
  });
}

function aMoment(): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve('a moment'), 150));
}
