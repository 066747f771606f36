import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { type ObservedBroker, useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';
import { useWorkProxy } from './work-proxy.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const topology = topicTopology('tx', 'work');
const count = 200;

const proxy = useWorkProxy({ beforeEach, afterEach }, vhost);

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}

/** Bodies in the order of their first appearance. */
function distinct(bodies: readonly string[]): string[] {
  return [...new Set(bodies)];
}

/** Consumes, has a message on its way, and both connections were found to be silent. */
async function silenced() {
  const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 1_000 });
  await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
  const received = collect();
  await broker.consume(received.request(topology));
  await eventually(() => received.all[0]?.ack());
  proxy.stall();
  const sent = broker.publish({ exchange: 'tx', routingKey: 'work', body: 'second', topology });
  await eventually(() => broker.reports('connection-changed').filter(({ to }) => to === 'disconnected').length >= 2);
  return { broker, received, sent };
}

describe('a lost connection, messages in flight', () => {
  const cuts = ['cut-before', 'cut-inside', 'cut-after'] as const;

  it.each(cuts)('publishes again what was not confirmed: %s a message', async (fault) => {
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    proxy.clear();
    const struck = proxy.strike({
      from: 'client',
      method: 'BasicPublish',
      when: ({ body }) => `${body}` === '50',
      fault,
    });
    const sent = numbered(0, count).map((body) =>
      broker.publish({ exchange: 'tx', routingKey: 'work', body, topology }),
    );
    await struck;
    await Promise.all(sent);

    const received = collect();
    await broker.consume(received.request(topology));
    await eventually(() => distinct(received.bodies).length === count + 1);
    expect(distinct(received.bodies)).toEqual(['first', ...numbered(0, count)]);
    expect(broker.reports('message-republished').length).toBeGreaterThan(0);
  });

  it('keeps the order, and the bytes, of what it publishes again', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.connected();
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    proxy.clear();
    const struck = proxy.strike({ from: 'broker', method: 'BasicAck', fault: 'cut-before' });
    const sent = numbered(0, 20).map((body) =>
      broker.publish({ exchange: 'tx', routingKey: 'work', body, topology, expirationMs: 60_000 }),
    );
    await struck;
    await Promise.all(sent);
    const [before, after] = [0, 1].map((nth) => {
      const connections = [...new Set(proxy.sent('BasicPublish').map(({ connection }) => connection))];
      return proxy.sent('BasicPublish').filter(({ connection }) => connection === connections[nth]);
    });
    expect(after?.map(({ body }) => `${body}`)).toEqual(numbered(0, 20));
    expect(after?.map(({ body }) => `${body}`).slice(0, before?.length)).toEqual(before?.map(({ body }) => `${body}`));
    // What it has waited is taken off its life.
    for (const { properties } of after ?? []) expect(Number(properties?.expiration)).toBeLessThan(60_000);
    for (const { properties } of before ?? []) expect(properties?.expiration).toBe('60000');
  });

  it('does not publish again where that is not wanted', async () => {
    const broker = brokers.open(vhost.urlVia(proxy), { republishUnconfirmed: false });
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    const struck = proxy.strike({ from: 'broker', method: 'BasicAck', fault: 'cut-before' });
    const lost = broker.publish({ exchange: 'tx', routingKey: 'work', body: 'lost', topology });
    await expect(lost).rejects.toMatchObject({ code: 'OSLO_DELIVERY', message: expect.stringContaining('confirm') });
    await struck;
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'next', topology });
    const bodies = proxy.sent('BasicPublish').map(({ body }) => `${body}`);
    expect(bodies).toEqual(['first', 'lost', 'next']);
  });

  it('counts a lost confirm as a try', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    void proxy.strike({ from: 'broker', method: 'BasicAck', fault: 'cut-before' });
    const message = { exchange: 'tx', routingKey: 'work', topology };
    const [none, one] = await Promise.allSettled([
      broker.publish({ ...message, body: 'none', retry: 0 }),
      broker.publish({ ...message, body: 'one', retry: 1 }),
    ]);
    expect(none).toMatchObject({ status: 'rejected', reason: { code: 'OSLO_DELIVERY', attempts: 1 } });
    expect(one).toMatchObject({ status: 'fulfilled' });
  });

  it('publishes each once again, though a listener publishes when it is told of one', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'first', topology });
    proxy.clear();
    const told: Promise<void>[] = [];
    let times = 0;
    broker.events.subscribe(({ type }) => {
      if (type !== 'message-republished') return;
      times += 1;
      told.push(broker.publish({ exchange: 'tx', routingKey: 'work', body: `told ${times}`, topology }));
    });
    const struck = proxy.strike({ from: 'broker', method: 'BasicAck', fault: 'cut-before' });
    const bodies = numbered(0, 5);
    const sent = bodies.map((body) => broker.publish({ exchange: 'tx', routingKey: 'work', body, topology }));
    await struck;
    await Promise.all(sent);
    await Promise.all(told);
    const written = proxy.sent('BasicPublish').map(({ body }) => `${body}`);
    expect(told).toHaveLength(5);
    expect(written.filter((body) => !body.startsWith('told')).toSorted()).toEqual([...bodies, ...bodies].toSorted());
    expect(new Set(written.filter((body) => body.startsWith('told'))).size).toBe(5);
    expect(written).toHaveLength(15);
  });

  it('is published again by a broker that is closed before its consumers are there again', async () => {
    const { broker, sent } = await silenced();
    const closed = new Promise<void>((resolve) => {
      broker.events.subscribe((event) => {
        const { type } = event;
        if (type === 'connection-changed' && event.connection === 'publish' && event.to === 'connected')
          resolve(broker.close());
      });
    });
    proxy.resume();
    await expect(sent).resolves.toBeUndefined();
    await closed;
  });

  it('declares the topology again on the new connection, once', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const send = (body: string) => broker.publish({ exchange: 'tx', routingKey: 'work', body, topology });
    await send('1');
    await send('2');
    proxy.drop();
    await eventually(() => broker.state === 'connecting');
    await Promise.all([send('3'), send('4')]);
    expect(
      proxy.sent('ExchangeDeclare', 'QueueDeclare', 'QueueBind', 'BasicPublish').map(({ method }) => method),
    ).toEqual([
      ...['ExchangeDeclare', 'QueueDeclare', 'QueueBind', 'BasicPublish', 'BasicPublish'],
      ...['ExchangeDeclare', 'QueueDeclare', 'QueueBind', 'BasicPublish', 'BasicPublish'],
    ]);
  });

  it('is found out where nothing tells: the other end just stays silent', async () => {
    const { broker, received, sent } = await silenced();
    proxy.resume();
    await sent;
    await eventually(() => received.bodies.includes('second'));
    const reasons = broker
      .reports('connection-changed')
      .flatMap(({ to, message }) => (to === 'disconnected' ? message : []));
    expect(reasons.join()).toContain('answered nothing');
  });

  it('is not taken for lost while a large message takes its time', async () => {
    // Long enough for a broker on a busy machine to answer: only the silence is meant.
    const [slow, quick] = [0, 1].map(() => brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 2_000 }));
    const message = { exchange: 'tx', routingKey: 'work', topology };
    for (const broker of [slow!, quick!]) await broker.publish({ ...message, body: 'first' });
    proxy.stall();
    const large = slow!.publish({ ...message, body: 'x'.repeat(4_000_000) });
    const small = quick!.publish({ ...message, body: 'small' });
    const losses = (broker: ObservedBroker) =>
      broker.reports('connection-changed').filter(({ to }) => to === 'disconnected').length;
    await eventually(() => losses(quick!) >= 2);
    expect(losses(slow!)).toBe(0);
    proxy.resume();
    await Promise.all([small, large]);
    expect(losses(slow!)).toBe(0);
    expect(slow!.reports('message-republished')).toEqual([]);
  });

  it('leaves an idle connection alone that still answers', async () => {
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 2_000 });
    await broker.connected();
    // Three checks and their answers.
    await eventually(() => proxy.received('BasicQosOk').length >= 3, 'three answers', 20_000);
    expect(proxy.accepted).toBe(1);
    expect(broker.reports('connection-changed').map(({ to }) => to)).toEqual(['connecting', 'connected']);
  });
});
