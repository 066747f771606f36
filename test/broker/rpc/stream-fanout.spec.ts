import { afterEach, expect, it } from 'vitest';
import { type MessagingEvent, RpcClient, RpcServer } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost({ mayLeave: /^(conductor|counted|vain)/ });
const brokers = useBrokers(afterEach);
const options = { rabbitTransientQuorumQueue: true, rabbitStreamFanout: true };
const target = { exchange: 'nova', topic: 'conductor' };

async function listening(server: string) {
  const broker = brokers.open(vhost.url, options);
  const heard: number[] = [];
  const methods = { tell: ({ n }: { n: number }) => void heard.push(n) };
  const serving = new RpcServer(broker, { ...target, server }, [{ methods }]);
  await serving.start();
  return { broker, heard, serving };
}

it('each server reads the one stream to its end, and goes on there after a lost connection', async () => {
  const [one, two] = [await listening('host1'), await listening('host2')];
  const client = new RpcClient(brokers.open(vhost.url, options), target);
  let sent = 0;
  const tell = (): Promise<void> => client.fanout('tell', { n: (sent += 1) });
  for (let n = 0; n < 5; n += 1) await tell();
  await eventually(() => one.heard.length === 5 && two.heard.length === 5);
  for (let round = 0; round < 3; round += 1) {
    await vhost.closeAllConnections();
    for (let n = 0; n < 5; n += 1) await tell();
  }
  const all = Array.from({ length: 20 }, (_, index) => index + 1);
  await eventually(() => one.heard.length >= 20 && two.heard.length >= 20);
  expect([one.heard, two.heard]).toEqual([all, all]);
  await client.close();
  await one.serving.close();
  await two.serving.close();
  expect(await vhost.queue('conductor_fanout')).toBeDefined();
});

it('what was sent before a server came is not told to it, but for the last', async () => {
  const first = await listening('host1');
  const client = new RpcClient(brokers.open(vhost.url, options), target);
  await client.fanout('tell', { n: 1001 });
  await eventually(() => first.heard.at(-1) === 1001);
  const late = await listening('host3');
  await client.fanout('tell', { n: 1002 });
  await eventually(() => late.heard.at(-1) === 1002);
  expect(late.heard).not.toContain(1);
  await client.close();
  await first.serving.close();
  await late.serving.close();
});

it('what was acknowledged in vain is read again', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  const broker = brokers.open(vhost.urlVia(proxy), options);
  const heard: number[] = [];
  const methods = { tell: ({ n }: { n: number }) => void heard.push(n) };
  const serving = new RpcServer(broker, { exchange: 'nova', topic: 'vain', server: 'host1' }, [{ methods }]);
  await serving.start();
  const client = new RpcClient(brokers.open(vhost.url, options), { exchange: 'nova', topic: 'vain' });
  await client.fanout('tell', { n: 1 });
  await eventually(() => heard.length === 1);
  const cut = proxy.strike({ from: 'client', method: 'BasicAck', fault: 'cut-before' });
  await client.fanout('tell', { n: 2 });
  await cut;
  await client.fanout('tell', { n: 3 });
  await eventually(() => heard.includes(3));
  expect([...new Set(heard)]).toEqual([1, 2, 3]);
  await client.close();
  await serving.close();
  await broker.close();
  await proxy.close();
});

it('is not taken for one without consumers: the broker counts none of a stream', async () => {
  const broker = brokers.open(vhost.url, { ...options, consumerCheckIntervalMs: 20 });
  const events: MessagingEvent[] = [];
  const heard: number[] = [];
  const methods = { tell: ({ n }: { n: number }) => void heard.push(n) };
  const serving = new RpcServer(broker, { ...target, topic: 'counted', server: 'host1' }, [{ methods }]);
  serving.events.subscribe((event) => events.push(event));
  await serving.start();
  const client = new RpcClient(brokers.open(vhost.url, options), { ...target, topic: 'counted' });
  for (let n = 1; n <= 20; n += 1) {
    await client.fanout('tell', { n });
    await eventually(() => heard.includes(n));
  }
  await client.close();
  await serving.close();
  expect(events.filter(({ type }) => type === 'consumers-lost')).toEqual([]);
});
