import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Topology } from '../../../lib/wire/topology.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';
import { collect } from './collected-deliveries.js';
import { type ObservedBroker, useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

/** A node of RabbitMQ takes its time to start. */
vi.setConfig({ testTimeout: 120_000 });

let server: RabbitServer;
beforeAll(async () => {
  server = await startRabbit();
});
afterAll(() => server.dispose());
const vhost = useVhost({ server: () => server });
const brokers = useBrokers(afterEach);

/** Publishes one after the other, without a pause, until it is stopped. */
class SteadyPublisher {
  readonly confirmed: string[] = [];
  readonly failed: unknown[] = [];
  private running = true;
  private readonly all: Promise<void>[] = [];
  private readonly done: Promise<void>;

  constructor(
    private readonly broker: ObservedBroker,
    private readonly topology: Topology,
  ) {
    this.done = this.run();
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
    await Promise.all(this.all);
  }

  private async run(): Promise<void> {
    for (let number = 0; this.running; number++) {
      const body = String(number);
      const sent = this.broker.publish({ exchange: 'tx', routingKey: 'kept', body, topology: this.topology });
      this.all.push(
        sent.then(
          () => void this.confirmed.push(body),
          (error: unknown) => void this.failed.push(error),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

describe('the broker goes away under load', () => {
  const topology = topicTopology('tx', 'kept', true);

  it.each([
    ['restarts', () => server.restart()],
    ['is killed', () => server.kill().then(() => server.start())],
    ['stops its application', () => server.stopApp().then(() => server.startApp())],
  ])('it %s: every promise ends, what was confirmed is delivered', async (_what, outage) => {
    // A slow restart is longer than the default bound allows at this pace.
    const broker = brokers.open(vhost.url, { maxInFlightMessages: 100_000 });
    const received = collect();
    const subscription = await broker.consume(
      received.request(topology, {
        onDeliveries: (deliveries) => {
          received.all.push(...deliveries);
          for (const delivery of deliveries) delivery.ack();
        },
      }),
    );
    const before = { consumers: await vhost.listConsumers(), bindings: await vhost.listBindings() };
    const publisher = new SteadyPublisher(broker, topology);
    await eventually(() => publisher.confirmed.length > 50);
    await outage();
    const reached = publisher.confirmed.length;
    await eventually(() => publisher.confirmed.length > reached + 50, 'confirms after the outage', 60_000);
    await publisher.stop();
    expect(publisher.failed).toEqual([]);
    await eventually(() => new Set(received.bodies).size >= publisher.confirmed.length);
    expect(new Set(received.bodies)).toEqual(new Set(publisher.confirmed));
    expect(subscription.consuming).toBe(true);
    expect(await vhost.listConsumers()).toEqual(before.consumers);
    expect(await vhost.listBindings()).toEqual(before.bindings);
    await eventually(async () => (await vhost.listConnections()).length === 2);
    await subscription.close();
    await broker.deleteQueue('kept');
  });

  it('it hangs: publishes and consumers move to a new connection when it is back', async () => {
    const broker = brokers.open(vhost.url, { livenessTimeoutMs: 900 });
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'kept', body: 'before', topology });
    server.freeze();
    const sent = broker.publish({ exchange: 'tx', routingKey: 'kept', body: 'meanwhile', topology });
    const lost = () =>
      broker.reports('connection-changed').filter(({ to, from }) => from === 'connected' && to === 'disconnected');
    await eventually(() => lost().length >= 2);
    server.thaw();
    await sent;
    await eventually(() => received.bodies.includes('meanwhile'));
    await subscription.close();
    await broker.deleteQueue('kept');
  });
});

describe('the broker is under an alarm', () => {
  const topology = topicTopology('tx', 'alarmed', true);
  afterEach(() => server.admin.memoryAlarm(false));

  it('publishing waits, consuming goes on, nothing is taken for dead', async () => {
    const broker = brokers.open(vhost.url, { livenessTimeoutMs: 2_000 });
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    const send = (body: string) => broker.publish({ exchange: 'tx', routingKey: 'alarmed', body, topology });
    await send('1');
    await server.admin.memoryAlarm(true);
    const stuck = [send('2')];
    await eventually(() => broker.state === 'blocked');
    stuck.push(send('3'));
    const given = broker.publish({ exchange: 'tx', routingKey: 'alarmed', body: 'late', giveUpMs: 5_000 });
    await expect(given).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
    expect((await received.next()).ack()).toBe(true);
    await eventually(async () => (await broker.inspectQueue('alarmed'))?.consumers === 1);
    expect(broker.state).toBe('blocked');
    await server.admin.memoryAlarm(false);
    await Promise.all(stuck);
    await eventually(() => broker.state === 'connected');
    await eventually(() => received.all.length === 3);
    expect(received.bodies).toEqual(['1', '2', '3']);
    const phases = broker
      .reports('connection-changed')
      .flatMap(({ connection, to }) => (connection === 'publish' ? [to] : []));
    expect(phases).toEqual(['connecting', 'connected', 'blocked', 'connected']);
    await subscription.close();
    await broker.deleteQueue('alarmed');
  });

  it('and its machine dies: both connections are given up, though one is blocked', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 500, heartbeatTimeoutThreshold: 0 });
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'alarmed', body: '1', topology });
    await server.admin.memoryAlarm(true);
    const stuck = broker.publish({ exchange: 'tx', routingKey: 'alarmed', body: '2' });
    await eventually(() => broker.state === 'blocked');
    proxy.stallThoseOpen();
    await server.admin.memoryAlarm(false);
    await stuck;
    await eventually(() => subscription.consuming && broker.state === 'connected');
    await broker.deleteQueue('alarmed');
    await broker.close();
    await proxy.close();
  });

  it('a blocked broker can be closed', async () => {
    const broker = brokers.open(vhost.url);
    await broker.connected();
    await server.admin.memoryAlarm(true);
    const stuck = Promise.allSettled([broker.publish({ exchange: '', routingKey: 'x', body: '1' })]);
    await eventually(() => broker.state === 'blocked');
    await broker.close();
    expect(await stuck).toMatchObject([{ reason: { code: 'OSLO_CLOSED' } }]);
    await server.admin.memoryAlarm(false);
  });
});
