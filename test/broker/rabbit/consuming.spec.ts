import { gzipSync, deflateSync } from 'node:zlib';
import { connect, type Options } from 'amqplib';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost();
// Registered first, it runs last: a broker that is open would make its queue again.
afterEach(() => vhost.deleteQueue('work'));
const brokers = useBrokers(afterEach);
const topology = topicTopology('tx', 'work');

/** Bytes as a stranger may put them into our queue. */
async function sendForeign(...messages: [body: Buffer, properties?: Options.Publish][]): Promise<void> {
  const connection = await connect(vhost.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const [body, properties] of messages) channel.sendToQueue('work', body, properties);
  await channel.waitForConfirms();
  await connection.close();
}

it('hands over together what arrived together, in order', async () => {
  const broker = brokers.open(vhost.url);
  const bodies = Array.from({ length: 100 }, (_, n) => String(n));
  await Promise.all(bodies.map((body) => broker.publish({ exchange: 'tx', routingKey: 'work', body, topology })));
  const received = collect();
  await broker.consume(received.request(topology));
  await eventually(() => received.all.length === 100);
  expect(received.bodies).toEqual(bodies);
  expect(received.batches.length).toBeLessThan(50);
});

it('decompresses what kombu compresses, by the header alone', async () => {
  const broker = brokers.open(vhost.url);
  const received = collect();
  await broker.consume(received.request(topology));
  const headers = { compression: 'application/x-gzip' };
  await sendForeign([deflateSync('{"packed":true}'), { headers, contentType: 'application/json' }]);
  const delivery = await received.next();
  expect(Buffer.from(delivery.body).toString()).toBe('{"packed":true}');
  expect(delivery.properties).toMatchObject({ contentType: 'application/json', headers });
});

it('rejects what it cannot read, says so, and goes on', async () => {
  const broker = brokers.open(vhost.url, { maxMessageBytes: 1_000 });
  const received = collect();
  await broker.consume(received.request(topology));
  const compression = (name: string) => ({ headers: { compression: name } });
  await sendForeign(
    [Buffer.from('before')],
    [Buffer.alloc(1_001)],
    [gzipSync('1'), compression('application/x-gzip')],
    [deflateSync(Buffer.alloc(1_001)), compression('application/x-gzip')],
    [Buffer.from('BZh9'), compression('application/x-bz2')],
    [Buffer.from('after')],
  );
  const [before, after] = [await received.next(), await received.next()];
  expect(received.bodies).toEqual(['before', 'after']);
  expect(broker.reports('message-rejected').map(({ queue }) => queue)).toEqual(['work', 'work', 'work', 'work']);
  for (const delivery of [before, after]) expect(delivery.ack()).toBe(true);
  await eventually(async () => {
    expect(await vhost.queue('work')).toMatchObject({ messagesReady: 0, messagesUnacknowledged: 0, consumers: 1 });
    return true;
  });
});

it.each([
  ['60000', 60_000],
  ['0', 0],
  [undefined, undefined],
])('reads the expiration %s', async (expiration, expirationMs) => {
  const broker = brokers.open(vhost.url);
  const received = collect();
  await broker.consume(received.request(topology));
  await sendForeign([Buffer.from('1'), { expiration }]);
  expect((await received.next()).properties.expirationMs).toBe(expirationMs);
});

it('survives a listener of deliveries that throws', async () => {
  const broker = brokers.open(vhost.url);
  const received = collect();
  let calls = 0;
  const subscription = await broker.consume(
    received.request(topology, {
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) delivery.ack();
        if (++calls === 1) throw new Error('broken promise');
      },
    }),
  );
  await broker.publish({ exchange: 'tx', routingKey: 'work', body: '1' });
  await eventually(() => calls === 1);
  await broker.publish({ exchange: 'tx', routingKey: 'work', body: '2' });
  await eventually(() => calls === 2);
  expect(subscription.consuming).toBe(true);
  expect(broker.reports('message-rejected')).toMatchObject([{ level: 'error', error: { message: 'broken promise' } }]);
});
