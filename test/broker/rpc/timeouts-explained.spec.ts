import amqp, { type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { MessagingTimeout, RpcClient, RpcServer, type TimeoutDiagnosis } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { type ObservedBroker, useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };

let connection: ChannelModel;
let proxy: AmqpProxy;
let broker: ObservedBroker;
let client: RpcClient;

beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
});
afterAll(() => connection.close());
beforeEach(async () => {
  proxy = await AmqpProxy.start(vhost.address);
  broker = brokers.open(vhost.urlVia(proxy));
  // The broker has a second to answer what is missing.
  client = new RpcClient(broker, target, { timeout: 5 });
});
afterEach(async () => {
  await client.close();
  await proxy.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

function begin(call = client.prepare({})): Promise<unknown> {
  return call.call('work').catch((error: unknown) => error);
}

async function timeoutOf(calling: Promise<unknown>): Promise<MessagingTimeout & { diagnosis: TimeoutDiagnosis }> {
  const error = await calling;
  expect(error).toBeInstanceOf(MessagingTimeout);
  return error as MessagingTimeout & { diagnosis: TimeoutDiagnosis };
}

/** What a server leaves behind that is not running. */
async function declareQueue(topic: string): Promise<void> {
  const channel = await connection.createChannel();
  await channel.assertExchange('nova', 'topic', { durable: false });
  await channel.assertQueue(topic, { durable: false });
  await channel.bindQueue(topic, 'nova', topic);
  await channel.close();
}

it('by the lack of a queue that was there before: such a request is tried again until then', async () => {
  await declareQueue('conductor');
  expect((await timeoutOf(begin())).diagnosis).toMatchObject({ reason: 'no-consumers' });
  await vhost.deleteQueue('conductor');
  const { diagnosis, fault, message } = await timeoutOf(begin());
  expect({ ...diagnosis, fault }).toMatchObject({ reason: 'no-queue', confirmed: false, fault: 'peer' });
  expect(message).toContain("there is no queue 'conductor'");
});

it.each([true, false])('by the lack of a binding; that there was one before: %s', async (before) => {
  await declareQueue('conductor');
  if (before) await client.cast('work');
  const channel = await connection.createChannel();
  await channel.unbindQueue('conductor', 'nova', 'conductor');
  await channel.close();
  const { diagnosis, fault, message } = await timeoutOf(begin());
  expect({ ...diagnosis, fault }).toMatchObject({ reason: 'not-routed', consumers: 0, fault: 'peer' });
  expect(message).toContain("no queue took the request: exchange 'nova' had no binding for 'conductor'");
});

it('and a cast that is given up after a while rejects', async () => {
  await declareQueue('conductor');
  await client.cast('work');
  await vhost.deleteQueue('conductor');
  const route = { exchange: 'nova', routingKey: 'conductor' };
  await expect(client.cast('work')).rejects.toMatchObject({ code: 'OSLO_NO_ROUTE', ...route });
  expect(broker.reports('message-unrouted')).toMatchObject([
    { level: 'warn', exchange: 'nova', routingKey: 'conductor' },
  ]);
});

it('by the lack of a queue, or of consumers with what is waiting, each to its own call', async () => {
  await declareQueue('abandoned');
  const callings = [begin(), begin(client.prepare({ server: 'host1' }))];
  const waiting = [1, 2, 3].map(() => begin(client.prepare({ topic: 'abandoned' })));
  const [topic, server] = await Promise.all(callings.map(timeoutOf));
  expect(topic!.diagnosis).toMatchObject({ reason: 'no-queue', queue: 'conductor', confirmed: true, outages: [] });
  expect(topic!.message).toContain("there is no queue 'conductor'");
  expect(server!.diagnosis).toMatchObject({ reason: 'no-queue', queue: 'conductor.host1' });
  for (const { diagnosis, message } of await Promise.all(waiting.map(timeoutOf))) {
    expect(diagnosis).toMatchObject({ reason: 'no-consumers', messages: 3, consumers: 0 });
    expect(message).toContain("queue 'abandoned' has no consumers and 3 messages waiting");
  }
  // Asking for what is not there has disturbed nobody.
  expect(broker.reports('connection-changed').filter(({ to }) => to === 'disconnected')).toEqual([]);
  expect(broker.reports('consumers-lost')).toEqual([]);
});

it('by a server that has not answered; its late answer is added when it comes', async () => {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const server = new RpcServer(brokers.open(vhost.url), { ...target, server: 'host1' }, [
    { methods: { work: () => finished, echo: (args: object) => args } },
  ]);
  await server.start();
  const calling = begin();
  // Others are served all the while.
  let answers = 0;
  while (answers < 100) {
    await client.call('echo');
    answers++;
  }
  const { diagnosis, msgId } = await timeoutOf(calling);
  expect(diagnosis).toMatchObject({ reason: 'not-answered', messages: 0, consumers: 1, waitedFor: 'answer' });
  expect(diagnosis.answeredLateByMs).toBeUndefined();
  finish();
  const [late] = await eventually(() => {
    const reports = broker.reports('reply-unmatched');
    return reports.length > 0 && reports;
  });
  expect(late).toMatchObject({ reason: 'late', msgId, method: 'work', target: 'nova/conductor' });
  expect(diagnosis.answeredLateByMs).toBe(late!.lateByMs);
  await server.close();
});

it('by an exchange that was deleted meanwhile', async () => {
  await declareQueue('conductor');
  const calling = begin();
  await eventually(async () => (await vhost.queue('conductor'))?.messagesReady === 1);
  const channel = await connection.createChannel();
  await channel.deleteExchange('nova');
  await channel.close();
  expect((await timeoutOf(calling)).diagnosis).toMatchObject({ reason: 'no-exchange', exchange: 'nova' });
});

it('by the line that is down, or was', async () => {
  await declareQueue('conductor');
  // The second looks at its queue a second before its end. After 5 s without a line it is back within another 5.
  const [down, back] = [begin(), begin(client.prepare({ timeout: 15 }))];
  await eventually(async () => (await vhost.queue('conductor'))?.messagesReady === 2);
  await proxy.refuse();
  proxy.drop();
  const first = await timeoutOf(down);
  expect(first.diagnosis.reason).toBe('disconnected');
  expect(new Set(first.diagnosis.outages.map(({ connection: which, to }) => [which, to].join()))).toEqual(
    new Set(['consume,', 'publish,']),
  );
  expect(first.message).toContain(`connection is down since ${first.diagnosis.outages[0]!.from}`);
  await proxy.accept();
  const second = await timeoutOf(back);
  expect(second.diagnosis).toMatchObject({ reason: 'no-consumers', confirmed: true });
  expect(second.message).toMatch(/the publish connection was down from \S+Z to \S+Z/);
});
