import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';
import { collect } from './collected-deliveries.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);

it('delivers what was published, once acknowledged it is gone', async () => {
  const broker = brokers.open(vhost.url);
  const received = collect();
  const subscription = await broker.consume(received.request(topicTopology('tx', 'a')));
  await broker.publish({ exchange: 'tx', routingKey: 'a', body: '{"n":1}', topology: topicTopology('tx', 'a') });
  const delivery = await received.next();
  expect(Buffer.from(delivery.body).toString()).toBe('{"n":1}');
  expect(delivery).toMatchObject({ queue: 'a', exchange: 'tx', routingKey: 'a', redelivered: false });
  expect(delivery.properties).toEqual({
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    expirationMs: undefined,
    headers: {},
  });
  expect(delivery.ack()).toBe(true);
  await eventually(async () => (await vhost.queue('a'))?.messagesUnacknowledged === 0);
  await subscription.close();
  expect(await broker.inspectQueue('a')).toEqual({ messages: 0, consumers: 0 });
  expect(await broker.inspectQueue('nowhere')).toBeUndefined();
  await broker.deleteQueue('a');
  await broker.deleteQueue('a');
  expect(await vhost.queue('a')).toBeUndefined();
});
