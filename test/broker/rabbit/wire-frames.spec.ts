import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Declaration } from '../../../lib/wire/topology.js';
import { capturesOf, type CapturedFrame, declarationsIn, readGolden } from '../../golden/read-golden.js';
import type { AmqpMethod } from '../../support/amqp-frames.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost({ mayLeave: /./ });
const brokers = useBrokers(afterEach);
let proxy: AmqpProxy;

beforeEach(async () => {
  proxy = await AmqpProxy.start(vhost.address);
});
afterEach(async () => {
  await proxy.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

const spelling: Record<string, string> = {
  content_type: 'contentType',
  content_encoding: 'contentEncoding',
  headers: 'headers',
  delivery_mode: 'deliveryMode',
  priority: 'priority',
  expiration: 'expiration',
};

/** Frames without what differs by nature: the channel's number, the reserved ticket. */
function comparable({ method, fields }: Pick<AmqpMethod, 'fields' | 'method'>): unknown {
  const { ticket: _reserved, ...rest } = fields;
  return { method, fields: rest };
}

describe('what goes over the wire', () => {
  it.each([...capturesOf('rpc_'), ...capturesOf('reply_'), ...capturesOf('notification_')])(
    'has exactly the properties of %s',
    async (_name, capture) => {
      const { exchange, routing_key: routingKey, mandatory } = capture.basic_publish;
      const broker = brokers.open(vhost.urlVia(proxy));
      const expiration = capture.properties['expiration'];
      const topology: Declaration[] =
        exchange === ''
          ? [{ kind: 'queue', name: routingKey, durable: false, autoDelete: false, arguments: {} }]
          : exchange.endsWith('_fanout')
            ? [{ kind: 'exchange', name: exchange, type: 'fanout', durable: false, autoDelete: true }]
            : [...topicTopology(exchange, routingKey)];
      // Declared before, so that the message itself does not wait.
      await broker.publish({ exchange, routingKey, body: '0', topology });
      await broker.publish({
        exchange,
        routingKey,
        body: capture.body_raw,
        mandatory,
        topology,
        ...(typeof expiration === 'string' && { expirationMs: Number(expiration) }),
      });
      const [, sent] = proxy.sent('BasicPublish');
      expect(sent?.fields).toMatchObject({ exchange, routingKey, mandatory, immediate: false });
      const expected = Object.entries(capture.properties).map(([name, value]) => [spelling[name] ?? name, value]);
      expect(sent?.properties).toEqual(Object.fromEntries(expected));
      expect(`${sent?.body}`).toBe(capture.body_raw);
    },
  );

  it.each(['declarations.master.json', 'declarations.14.0.3.json'])(
    'declares and consumes as in %s, frame by frame',
    async (file) => {
      const { server_listen_connection: frames } = readGolden(file) as { server_listen_connection: CapturedFrame[] };
      const interesting = ['ExchangeDeclare', 'QueueDeclare', 'QueueBind', 'BasicQos', 'BasicConsume'];
      const captured = frames.filter(({ method }) => interesting.includes(method));
      const broker = brokers.open(vhost.urlVia(proxy));
      const topology = declarationsIn(captured) as Declaration[];
      await broker.consume(collect().request(topology));
      expect(proxy.sent(...interesting).map(comparable)).toEqual(captured.map(comparable));
    },
  );

  it('sends qos first, and only where a prefetch is asked for', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    await broker.consume(collect().request(topicTopology('tx', 'work'), { prefetch: 5 }));
    const [first, second] = proxy.sent('BasicQos', 'ExchangeDeclare', 'BasicConsume');
    expect(first).toMatchObject({ method: 'BasicQos', fields: { prefetchCount: 5, prefetchSize: 0, global: false } });
    expect(second?.method).toBe('ExchangeDeclare');
  });

  it('shakes hands as Python does', async () => {
    const broker = brokers.open(vhost.urlVia(proxy), { connectionName: 'srv.py:1:abc' });
    await broker.connected();
    const { server_listen_connection: frames } = readGolden('declarations.master.json') as Record<
      string,
      CapturedFrame[]
    >;
    const [startOk] = proxy.sent('ConnectionStartOk');
    const captured = frames!.find(({ method }) => method === 'ConnectionStartOk')!;
    expect(startOk?.fields).toMatchObject({ mechanism: captured.fields['mechanism'], locale: 'en_US' });
    const { capabilities } = captured.fields['clientProperties'] as { capabilities: object };
    expect(startOk?.fields['clientProperties']).toMatchObject({
      capabilities,
      connection_name: 'srv.py:1:abc:publish',
    });
    const tuned = frames!.find(({ method }) => method === 'ConnectionTuneOk')?.fields;
    expect(proxy.sent('ConnectionTuneOk')[0]?.fields).toEqual(tuned);
  });

  it('writes whole numbers among queue arguments as Python does', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const args = { 'x-expires': 30_000, 'x-max-priority': 5, 'x-max-length': 200 };
    const topology: Declaration[] = [
      { kind: 'queue', name: 'small', durable: false, autoDelete: false, arguments: args },
    ];
    await broker.publish({ exchange: '', routingKey: 'small', body: '1', topology });
    const frame = Buffer.concat(proxy.sent('QueueDeclare')[0]!.frames);
    for (const [name, value] of Object.entries(args)) {
      const at = frame.indexOf(name) + name.length;
      // A signed 32-bit number, RabbitMQ's type I.
      expect([String.fromCharCode(frame[at]!), frame.readInt32BE(at + 1)]).toEqual(['I', value]);
    }
  });
});

describe('acknowledgements', () => {
  it('of one batch go out as one frame, before what is flushed after them', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const topology = topicTopology('tx', 'work');
    const subscription = await broker.consume(received.request(topology));
    const sent = Array.from({ length: 6 }, (_, n) =>
      broker.publish({ exchange: 'tx', routingKey: 'work', body: `${n}`, topology }),
    );
    await Promise.all(sent);
    await eventually(() => received.all.length === 6);
    for (const delivery of received.all.slice(0, 3)) delivery.ack();
    received.all[4]?.ack();
    received.all[3]?.reject(false);
    received.all[5]?.ack();
    subscription.flush();
    await eventually(async () => (await vhost.queue('work'))?.messagesUnacknowledged === 0);
    const verdicts = proxy.sent('BasicAck', 'BasicReject').map(({ method, fields }) => [method, fields]);
    expect(verdicts).toEqual([
      ['BasicAck', { deliveryTag: 3, multiple: true }],
      ['BasicAck', { deliveryTag: 5, multiple: false }],
      ['BasicReject', { deliveryTag: 4, requeue: false }],
      ['BasicAck', { deliveryTag: 6, multiple: false }],
    ]);
  });

  it('are written without being asked, and never twice', async () => {
    const broker = brokers.open(vhost.urlVia(proxy));
    const received = collect();
    const topology = topicTopology('tx', 'work');
    await broker.consume(received.request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '1', topology });
    const delivery = await received.next();
    delivery.ack();
    delivery.ack();
    await proxy.waitFor('client', 'BasicAck');
    delivery.ack();
    delivery.reject(true);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: '2', topology });
    await received.next();
    expect(proxy.sent('BasicAck', 'BasicReject')).toHaveLength(1);
  });
});
