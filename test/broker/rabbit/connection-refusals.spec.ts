import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  connectBroker,
  NotificationListener,
  NotifierCore,
  PreconditionFailed,
  type RabbitOptions,
  RpcClient,
  RpcServer,
} from '../../../lib/index.js';
import type { AmqpMethod } from '../../support/amqp-frames.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { asRabbit43, type ConnectionClose, RefusingProxy } from '../../support/refusing-proxy.js';
import { type ObservedBroker, useBrokers } from './rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };
// Its exchange exists in no other way.
const lasting = { ...target, exchange: 'lasting' };
const methods = { ping: (): string => 'pong' };

let dislikes: (request: AmqpMethod) => ConnectionClose | undefined;
let proxy: RefusingProxy;
beforeEach(async () => {
  dislikes = asRabbit43;
  proxy = await RefusingProxy.start(vhost.address, (request) => dislikes(request));
});
afterEach(async () => {
  await proxy.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

function open(options: RabbitOptions = {}): ObservedBroker {
  return brokers.open(vhost.urlVia(proxy), options);
}

const refusal = {
  code: 'OSLO_TOPOLOGY',
  fault: 'caller',
  message: expect.stringMatching(
    /^[^\n]*transient_nonexcl_queues[^\n]*[^.]\. This broker refuses[^\n]*rabbit_quorum_queue[^\n]*rabbit_transient_quorum_queue[^\n]*$/,
  ),
};

describe('a broker that does not permit transient queues, as RabbitMQ 4.3', () => {
  it('ends the start of a server, and says why', async () => {
    const server = new RpcServer(open(), target, [{ methods }]);
    const starting = server.start();
    await expect(starting).rejects.toBeInstanceOf(PreconditionFailed);
    await expect(starting).rejects.toMatchObject({ ...refusal, message: expect.stringContaining("'conductor'") });
    await expect(starting).rejects.toMatchObject(refusal);
    expect(proxy.refused).toHaveLength(1);
    await server.close();
  });

  it('ends the start of a listener', async () => {
    const listener = new NotificationListener(open(), [{ priorities: ['info'], handler: () => undefined }]);
    await expect(listener.start()).rejects.toMatchObject(refusal);
    await listener.close();
  });

  it('fails a call for its reply queue, and a notification for its queue, the next ones at once', async () => {
    const broker = open({ amqpDurableQueues: true });
    const client = new RpcClient(broker, target, { timeout: 20 });
    await expect(client.call('ping')).rejects.toMatchObject(refusal);
    await expect(client.call('ping')).rejects.toMatchObject(refusal);
    const notifier = new NotifierCore(open(), { publisherId: 'compute.host1', exchange: 'nova' });
    await expect(notifier.info('a.b', {})).rejects.toMatchObject(refusal);
    await expect(notifier.info('a.b', {})).rejects.toMatchObject(refusal);
    expect(proxy.refused.map(({ fields }) => fields.queue)).toEqual([client.replyQueue, 'notifications.info']);
    await client.close();
  });

  it('ends the start of a server whose topic queues alone are durable', async () => {
    const server = new RpcServer(open({ amqpDurableQueues: true }), lasting, [{ methods }]);
    await expect(server.start()).rejects.toMatchObject({
      ...refusal,
      message: expect.stringMatching(/'conductor_fanout_[0-9a-f]{32}'.*rabbit_transient_quorum_queue/),
    });
    await server.close();
  });

  const quorum = { rabbitQuorumQueue: true, rabbitTransientQuorumQueue: true };
  it.each<[string, RabbitOptions]>([
    ['quorum queues', quorum],
    ['durable queues and quorum queues of one process', { amqpDurableQueues: true, rabbitTransientQuorumQueue: true }],
    ['stream fanout', { ...quorum, rabbitStreamFanout: true }],
    ['names that stay', { ...quorum, rabbitStreamFanout: true, useQueueManager: true, processname: `p${process.pid}` }],
  ])('serves with %s', async (_what, options) => {
    const broker = open(options);
    const server = new RpcServer(broker, lasting, [{ methods }]);
    await server.start();
    const client = new RpcClient(broker, lasting, { timeout: 10 });
    expect(await client.call('ping')).toBe('pong');
    await client.close();
    await server.close();
  });
});

describe('a connection that ends over a declaration', () => {
  const passing: ConnectionClose = { code: 541, text: 'INTERNAL_ERROR' };

  it('once or twice may be passing trouble of the broker', async () => {
    dislikes = ({ method }) => (method === 'QueueDeclare' && proxy.refused.length < 2 ? passing : undefined);
    const server = new RpcServer(open(), target, [{ methods }]);
    await server.start();
    expect(proxy.refused).toHaveLength(2);
    await server.close();
  });

  it.each(['QueueDeclare', 'QueueBind', 'ExchangeDeclare', 'BasicConsume'])(
    'each time, over %s, is a refusal',
    async (kind) => {
      dislikes = ({ method }) => (method === kind ? passing : undefined);
      const server = new RpcServer(open(), target, [{ methods }]);
      await expect(server.start()).rejects.toMatchObject({
        code: 'OSLO_TOPOLOGY',
        message: expect.stringContaining('INTERNAL_ERROR'),
      });
      expect(proxy.refused).toHaveLength(3);
      await server.close();
    },
  );

  it('fails a start that makes one attempt at once, in the words of the broker', async () => {
    dislikes = ({ method }) => (method === 'QueueDeclare' ? passing : undefined);
    const server = new RpcServer(open(), target, [{ methods }]);
    await expect(server.start(0)).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
      message: expect.stringMatching(/^conductor, .*INTERNAL_ERROR/),
    });
    expect(proxy.refused).toHaveLength(1);
    await server.close();
  });

  it('is not held against what waited behind that declaration', async () => {
    const final = { code: 541, text: 'INTERNAL_ERROR - this feature is not permitted' };
    dislikes = ({ method, fields }) =>
      method === 'QueueDeclare' && String(fields.queue).includes('bad') ? final : undefined;
    const broker = open();
    await broker.connected();
    const inform = (topic: string): Promise<void> =>
      new NotifierCore(broker, { publisherId: 'compute.host1', exchange: 'nova', topics: [topic] }).info('a.b', {});
    const listen = (topic: string): NotificationListener =>
      new NotificationListener(broker, [{ priorities: ['info'], topics: [topic], handler: () => undefined }]);
    const listeners = ['bad_heard', 'heard'].map(listen);
    const outcomes = await Promise.allSettled([
      ...['bad_said', 'said'].map(inform),
      ...listeners.map((listener) => listener.start()),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    await Promise.all(listeners.map((listener) => listener.close()));
  });

  it('of a server that runs is asked about seldom, until it is permitted', async () => {
    dislikes = () => undefined;
    const broker = open();
    const server = new RpcServer(broker, target, [{ methods }]);
    await server.start();
    dislikes = asRabbit43;
    await vhost.deleteQueue('conductor');
    await eventually(() =>
      broker.reports('consumers-lost').some(({ message }) => message.includes('transient_nonexcl')),
    );
    await eventually(() => broker.state === 'connected');
    expect(proxy.refused).toHaveLength(1);
    await server.close();
  });
});

describe('a start that is bounded', () => {
  it('ends when a declaration is not answered', async () => {
    dislikes = ({ method }) => (method === 'ConnectionOpen' ? { code: 320, text: 'CONNECTION_FORCED' } : undefined);
    await expect(connectBroker(vhost.urlVia(proxy), { startupTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
    });
    dislikes = ({ method }) => (method === 'QueueDeclare' ? { code: 320, text: 'CONNECTION_FORCED' } : undefined);
    const server = new RpcServer(open(), target, [{ methods }]);
    await expect(server.start(3_000)).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
      message: expect.stringContaining('not within 3000 ms'),
    });
    await server.close();
  });

  it.each([
    [0, /NOT_ALLOWED/],
    [3_000, /not within 3000 ms; .*NOT_ALLOWED/],
  ])('(%i ms) ends when the connection that consumes is refused, and says why', async (giveUpMs, message) => {
    let connections = 0;
    const full = { code: 530, text: 'NOT_ALLOWED - connection limit (1) is reached' };
    dislikes = ({ method }) => (method === 'ConnectionOpen' && ++connections > 1 ? full : undefined);
    const broker = open();
    await broker.connected();
    const server = new RpcServer(broker, target, [{ methods }]);
    await expect(server.start(giveUpMs)).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
      message: expect.stringMatching(message),
    });
    await server.close();
  });
});
