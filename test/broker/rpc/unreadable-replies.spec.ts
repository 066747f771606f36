import amqp from 'amqplib';
import { afterEach, expect, it } from 'vitest';
import { MessagingTimeout, RpcClient, RpcServer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };

it.each([
  ['that is compressed in an unknown way', '{}', { compression: 'application/x-bz2' }],
  ['that is no JSON', 'boom', {}],
])('an answer %s is counted, and its caller is told', async (_what, body, headers) => {
  const server = new RpcServer(brokers.open(vhost.url), target, [{ methods: { hang: () => new Promise(() => {}) } }], {
    shutdownTimeoutMs: 0,
  });
  await server.start();
  const client = new RpcClient(brokers.open(vhost.url), target, { timeout: 4 });
  const call = client.call('hang').catch((error: unknown) => error);
  await eventually(() => server.counters.dispatched === 1);
  const connection = await amqp.connect(vhost.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue(client.replyQueue, Buffer.from(body), { contentType: 'application/json', headers });
  await channel.waitForConfirms();
  await connection.close();
  const error = (await call) as MessagingTimeout;
  expect(error).toBeInstanceOf(MessagingTimeout);
  expect(error.message).toContain('1 message on our reply queue could not be read');
  expect(error.diagnosis).toMatchObject({ rejectedReplies: 1 });
  expect(client.counters.malformedReplies).toBe(1);
  await client.close();
  await server.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
