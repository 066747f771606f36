import amqp, { type ConfirmChannel, type ChannelModel } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectBroker, MessageUndeliverable, NotifierCore, RpcClient, RpcServer } from '../../../lib/index.js';
import { seamOf } from '../../../lib/broker/broker.js';
import { lookForAlarm } from '../../../lib/observe/bus/bus-look.js';
import { BusTap, type TapRequest } from '../../../lib/observe/tap/bus-tap.js';
import { CallPairing, type SeenRequest } from '../../../lib/observe/traffic/call-pairing.js';
import { probeFirehose } from '../../../lib/observe/tap/firehose-probe.js';
import { openTapQueue, tapQueue, TAP_QUEUE_LENGTH } from '../../../lib/observe/tap/tap-queue.js';
import { kindOf, type TrafficRecord } from '../../../lib/observe/traffic/traffic-record.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';
import { type ObservedBroker, useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const nova: TapRequest = {
  source: 'auto',
  exchanges: ['nova'],
  topics: ['conductor'],
  notificationTopics: [],
  maxRate: 10_000,
  secrets: 'masked',
};

function firehose(change: 'start' | 'stop'): Promise<unknown> {
  return sharedRabbit().admin.evaluate(`rabbit_trace:${change}(<<"${vhost.name}">>), true`);
}

describe('a tap', () => {
  let service: ObservedBroker;
  let broker: ObservedBroker;
  let server: RpcServer;
  let client: RpcClient;
  let tap: BusTap | undefined;
  let records: TrafficRecord[];
  let requests: SeenRequest[];
  let pairing: CallPairing;

  beforeEach(async () => {
    [records, requests] = [[], []];
    pairing = new CallPairing({ published: (request) => requests.push(request) });
    service = brokers.open(vhost.url);
    broker = brokers.open(vhost.url);
    await broker.connected();
    const fail = (): never => {
      throw new TypeError('no such host');
    };
    server = new RpcServer(service, { exchange: 'nova', topic: 'conductor', server: 'host1' }, [
      { methods: { ping: () => 'pong', fail } },
    ]);
    await server.start();
    client = new RpcClient(service, { exchange: 'nova', topic: 'conductor' }, { timeout: 5 });
  });
  afterEach(async () => {
    await tap?.close();
    tap = undefined;
    await client.close();
    await server.close();
    await firehose('stop');
  });

  async function open(request: Partial<TapRequest> = {}): Promise<BusTap> {
    tap = await BusTap.open(
      broker,
      { ...nova, ...request },
      {
        seen: (record) => {
          records.push(record);
          pairing.add(record);
        },
      },
    );
    return tap;
  }

  const published = () => records.filter(({ ev }) => ev === 'publish').map((record) => kindOf(record));

  it('by the firehose sees requests, who takes them, answers and failures, each once', async () => {
    await firehose('start');
    expect((await open()).source).toBe('firehose');
    await client.call('ping');
    await client.prepare({ server: 'host1' }).call('ping');
    await client.call('fail').catch(() => undefined);
    await client.cast('ping');
    await client.fanout('ping');
    const absent = client.prepare({ topic: 'conductor', server: 'nobody', transportOptions: { atLeastOnce: true } });
    await expect(absent.call('ping')).rejects.toBeInstanceOf(MessageUndeliverable);
    await eventually(
      () =>
        requests.length === 6 &&
        requests.every(({ kind, taken, state }) => {
          return (
            state.name === 'unroutable' || (taken && (kind !== 'call' || state.name !== 'waiting')) || kind === 'fanout'
          );
        }),
    );
    expect(requests.map(({ kind, server: to, state }) => [kind, to, state.name])).toEqual([
      ['call', undefined, 'answered'],
      ['call', 'host1', 'answered'],
      ['call', undefined, 'failed'],
      ['cast', undefined, 'waiting'],
      ['fanout', undefined, 'waiting'],
      ['call', 'nobody', 'unroutable'],
    ]);
    expect(requests[0]?.taken).toMatchObject({ queue: 'conductor', redelivered: false });
    expect(published().filter((kind) => kind === 'reply')).toHaveLength(3);
  });

  it('by the firehose sees notifications, with all exchanges and topics where none is named', async () => {
    await firehose('start');
    await open({ exchanges: [], topics: [] });
    const notifier = new NotifierCore(service, { exchange: 'nova', publisherId: 'compute.host1' });
    await notifier.info('compute.instance.create.end', { adminPass: 'hunter2' });
    await eventually(() => published().includes('notification'));
    expect(JSON.stringify(records)).not.toContain('hunter2');
    await notifier.close();
    await vhost.deleteQueue('notifications.info');
  });

  it('by the firehose leaves out other control exchanges, where one is named', async () => {
    await firehose('start');
    await open({ only: new Set(['nova']), topics: [] });
    const heat = new NotifierCore(service, { exchange: 'heat', publisherId: 'heat' });
    await heat.info('elsewhere', {});
    await heat.close();
    await client.call('ping');
    await client.fanout('ping');
    await eventually(() => published().length >= 3);
    expect(published().toSorted()).toEqual(['call', 'fanout', 'reply']);
    await vhost.deleteQueue('notifications.info');
  });

  it('without the firehose binds, and sees requests alone', async () => {
    expect((await open()).source).toBe('binding');
    await client.call('ping');
    await client.fanout('ping');
    await eventually(() => requests.length === 2);
    expect(published()).toEqual(['call', 'fanout']);
  });

  it('takes nothing from anybody, and leaves nothing behind', async () => {
    await open();
    await Promise.all(Array.from({ length: 50 }, () => client.call('ping')));
    await eventually(() => requests.length === 50);
    await tap?.close();
    const queues = (await vhost.listQueues()).map(({ name, messagesReady }) => [name, messagesReady]);
    expect(queues.filter(([name]) => String(name).startsWith('oslo-bus.'))).toEqual([]);
    expect(queues).toContainEqual(['conductor', 0]);
    const bindings = await vhost.listBindings();
    expect(bindings.filter(({ queue }) => queue.startsWith('oslo-bus.'))).toEqual([]);
  });

  it('a caller is still told that nobody is there: only keys whose queue exists are bound', async () => {
    await open({ topics: ['conductor', 'conductor.host2'] });
    const absent = client.prepare({ server: 'host2', transportOptions: { atLeastOnce: true } });
    await expect(absent.call('ping')).rejects.toBeInstanceOf(MessageUndeliverable);
  });

  it('binds what comes later, and lets go of what has gone', async () => {
    await open({ topics: ['conductor.host2'] });
    const bound = async () => (await vhost.listBindings()).filter((one) => one.queue.startsWith('oslo-bus.')).length;
    expect(await bound()).toBe(0);
    const late = new RpcServer(service, { exchange: 'nova', topic: 'conductor', server: 'host2' }, []);
    await late.start();
    await eventually(async () => (await bound()) === 1);
    await late.close();
    await vhost.deleteQueue('conductor.host2');
    await eventually(async () => (await bound()) === 0);
  });

  it('reads no more in a second than it may, and counts the rest', async () => {
    await open({ maxRate: 1 });
    await Promise.all(Array.from({ length: 20 }, () => client.cast('ping')));
    await eventually(() => tap?.counters.received === 20);
    expect(tap!.counters.skipped + records.length).toBe(20);
    expect(tap!.counters.skipped).toBeGreaterThan(0);
  });
});

describe('the probe', () => {
  it('tells whether the firehose is on', async () => {
    const broker = brokers.open(vhost.url);
    await broker.connected();
    expect(await probeFirehose(broker)).toEqual({ name: 'off' });
    await firehose('start');
    expect(await probeFirehose(broker)).toEqual({ name: 'on' });
    await firehose('stop');
  });

  it('tells that it is on, too, where the broker takes its time', async () => {
    await firehose('start');
    onTestFinished(async () => void (await firehose('stop')));
    const proxy = await AmqpProxy.start(vhost.address);
    onTestFinished(() => proxy.close());
    const broker = brokers.open(vhost.urlVia(proxy));
    const stalled = proxy.strike({ from: 'broker', method: 'BasicDeliver', fault: 'stall' });
    const probing = probeFirehose(broker);
    await stalled;
    // Both messages have come, and neither is seen.
    await eventually(async () =>
      (await vhost.listQueues()).some(({ messagesUnacknowledged }) => messagesUnacknowledged === 2),
    );
    proxy.resume();
    expect(await probing).toEqual({ name: 'on' });
    await broker.close();
  });

  it('says that it does not know where the broker says nothing', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    const broker = brokers.open(vhost.urlVia(proxy));
    const swallowed = proxy.strike({ from: 'broker', method: 'BasicDeliver', fault: 'swallow' });
    await expect(probeFirehose(broker, 1_000)).rejects.toThrow('did not tell within 1 s whether the firehose is on');
    await swallowed;
    await broker.close();
    await proxy.close();
  });

  it('tells that it may not look', async () => {
    const { admin } = sharedRabbit();
    const user = `u-${vhost.name}`;
    await admin.addUser(user, 'secret');
    await admin.setPermissions(vhost.name, user, { configure: '^oslo-bus', write: '.*', read: '^oslo-bus' });
    const broker = await connectBroker(vhost.url.replace('guest:guest', `${user}:secret`));
    try {
      expect(await probeFirehose(seamOf(broker))).toMatchObject({ name: 'refused', reason: /refused/ });
    } finally {
      await broker.close();
      await admin.deleteUser(user);
    }
  });
});

describe('the look for an alarm', () => {
  it('takes a broker that is slow for no worse than that', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.publish({ exchange: '', routingKey: 'nobody', body: '{}' });
    // A confirm comes after two seconds.
    proxy.delay(1_000);
    expect(await lookForAlarm(broker)).toEqual({ name: 'taken' });
    await broker.close();
    await proxy.close();
  });
});

describe('the queue of a tap', () => {
  let connection: ChannelModel;
  let channel: ConfirmChannel;

  beforeAll(async () => {
    connection = await amqp.connect(vhost.amqpUrl);
    channel = await connection.createConfirmChannel();
  });
  afterAll(() => connection.close());

  it('never nacks who publishes, however full it is', async () => {
    const { arguments: values } = tapQueue('tap');
    expect(values['x-max-length']).toBe(TAP_QUEUE_LENGTH);
    const { queue } = await channel.assertQueue('', { exclusive: true, arguments: { ...values, 'x-max-length': 3 } });
    for (let n = 0; n < 100; n++) channel.sendToQueue(queue, Buffer.from(String(n)));
    await channel.waitForConfirms();
    expect((await channel.checkQueue(queue)).messageCount).toBe(3);
  });

  it('is exclusive, bounded, and goes when it is not read', async () => {
    const broker = brokers.open(vhost.url);
    await broker.connected();
    const open = await openTapQueue(broker, 'tap', [], () => undefined);
    expect(await vhost.queue(open.queue)).toMatchObject({
      exclusive: true,
      durable: false,
      arguments: { 'x-overflow': 'drop-head', 'x-expires': 60_000 },
    });
    await open.close();
    expect(await vhost.queue(open.queue)).toBeUndefined();
  });
});
