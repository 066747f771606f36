import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ClosedError, MessageDeliveryFailure, MessagingTimeout, RpcClient } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { sharedRabbit, useVhost } from '../../support/rabbit.js';
import { type RabbitAddress, rabbitUrl } from '../../support/rabbit-url.js';
import { collect } from './collected-deliveries.js';
import { type ObservedBroker, useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const message = { exchange: '', routingKey: 'nobody', body: '{}' };

function failures(broker: ObservedBroker): string[] {
  return broker.reports('connection-changed').flatMap(({ to, message }) => (to === 'disconnected' ? [message] : []));
}

async function nobodyThere(): Promise<string> {
  return vhost.urlVia({ port: await freePort() });
}

describe('with nobody there', () => {
  it.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])('a publish with retry %i ends after %i attempts', async (retry, attempts) => {
    const broker = brokers.open(await nobodyThere());
    const sent = broker.publish({ ...message, retry });
    await expect(sent).rejects.toBeInstanceOf(MessageDeliveryFailure);
    await expect(sent).rejects.toMatchObject({ attempts, message: expect.stringContaining('ECONNREFUSED') });
  });

  it('a publish with retry -1 waits for the broker', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    await proxy.refuse();
    const broker = brokers.open(vhost.urlVia(proxy));
    const sent = broker.publish({ ...message, retry: -1 });
    await eventually(() => failures(broker).length >= 4);
    await proxy.accept();
    await sent;
    await broker.close();
    await proxy.close();
  });

  it('a publish ends when its time or its life is over', async () => {
    const broker = brokers.open(await nobodyThere());
    const ended = [broker.publish({ ...message, giveUpMs: 50 }), broker.publish({ ...message, expirationMs: 50 })];
    for (const one of ended) {
      await expect(one).rejects.toBeInstanceOf(MessagingTimeout);
      await expect(one).rejects.toMatchObject({ fault: 'broker' });
    }
  });

  it('what has expired meanwhile is not sent at all', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    await proxy.refuse();
    const broker = brokers.open(vhost.urlVia(proxy));
    const expired = broker.publish({ ...message, body: 'expired', expirationMs: 30 });
    const kept = broker.publish({ ...message, body: 'kept', expirationMs: 60_000 });
    await expect(expired).rejects.toBeInstanceOf(MessagingTimeout);
    await proxy.accept();
    await kept;
    const sent = proxy.sent('BasicPublish');
    expect(sent.map(({ body }) => `${body}`)).toEqual(['kept']);
    expect(sent[0]?.properties?.['expiration']).toMatch(/^\d{5}$/);
    expect(Number(sent[0]?.properties?.['expiration'])).toBeLessThan(60_000);
    await broker.close();
    await proxy.close();
  });

  it('no more messages are kept than allowed; room is made again', async () => {
    const broker = brokers.open(await nobodyThere(), { maxInFlightMessages: 2 });
    const kept = [broker.publish({ ...message, giveUpMs: 100 }), broker.publish({ ...message, giveUpMs: 100 })];
    const refused = broker.publish(message);
    await expect(refused).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
      message: expect.stringContaining('2 messages'),
    });
    await Promise.allSettled(kept);
    await expect(broker.publish({ ...message, retry: 0 })).rejects.toThrow('ECONNREFUSED');
  });

  it('connected() says which host and why', async () => {
    const url = await nobodyThere();
    const host = new URL(url.replace('rabbit:', 'http:')).host;
    const broker = brokers.open(url);
    for (const giveUpMs of [0, 100]) {
      await expect(broker.connected(giveUpMs)).rejects.toMatchObject({
        code: 'OSLO_DELIVERY',
        host,
        message: expect.stringMatching(new RegExp(`${host}.*ECONNREFUSED`)),
      });
    }
    expect(broker.state).toBe('connecting');
  });

  it('the same failure is one warning', async () => {
    const broker = brokers.open(await nobodyThere());
    await eventually(() => failures(broker).length >= 4);
    expect(broker.reports('connection-changed').filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('several hosts', () => {
  it('go on to the next where one is dead or mute', async () => {
    const mute = await AmqpProxy.start(vhost.address);
    mute.stall();
    const { user, password, host, port } = vhost.address;
    const login = `${user}:${password}@`;
    const hosts = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${mute.port}`, `${host}:${port}`];
    const url = `rabbit://${hosts.map((one) => login + one).join(',')}/${vhost.name}`;
    for (let start = 0; start < 4; start++) {
      const broker = brokers.open(url, { livenessTimeoutMs: 1_000 });
      await broker.publish(message);
      const up = broker.reports('connection-changed').filter(({ to }) => to === 'connected');
      expect(up.map((event) => event.host)).toEqual([`${host}:${port}`]);
      await broker.close();
    }
    await mute.close();
  });

  it('take over when the first dies', async () => {
    const [one, two] = [await AmqpProxy.start(vhost.address), await AmqpProxy.start(vhost.address)];
    const { user, password } = vhost.address;
    const url = `rabbit://${[one, two].map(({ port }) => `${user}:${password}@127.0.0.1:${port}`).join(',')}/${vhost.name}`;
    const broker = brokers.open(url);
    const topology = topicTopology('tx', 'moved');
    const received = collect();
    const subscription = await broker.consume(received.request(topology));
    await one.refuse();
    one.drop();
    await broker.publish({ exchange: 'tx', routingKey: 'moved', body: '1', topology });
    await received.next();
    await eventually(() => subscription.consuming);
    expect(one.open).toBe(0);
    expect(two.open).toBe(2);
    await broker.close();
    await Promise.all([one.close(), two.close()]);
    await vhost.deleteQueue('moved');
  });
});

describe('credentials', () => {
  const secret = 's/e:c@r%et';

  it('that are wrong are told without the password, and tried again', async () => {
    const wrong: RabbitAddress = { ...vhost.address, password: 'wrong-one' };
    const broker = brokers.open(rabbitUrl(wrong, vhost.name));
    const refused = broker.connected(0);
    await expect(refused).rejects.toThrow(/127\.0\.0\.1:\d+: ACCESS_REFUSED - Login was refused/);
    await expect(refused).rejects.toThrow(
      /The user is 'guest': check its password\. RabbitMQ lets guest in from its own host only/,
    );
    await eventually(() => failures(broker).length >= 2);
    expect(JSON.stringify([broker.reported, broker.url, await refused.catch(String)])).not.toContain('wrong-one');
  });

  it('a virtual host that does not exist is told', async () => {
    const broker = brokers.open(rabbitUrl(vhost.address, 'no such/vhost'));
    await expect(broker.connected(0)).rejects.toThrow(/:\d+: virtual host 'no such\/vhost' is refused: NOT_ALLOWED/);
  });

  it.each(['AMQPLAIN', 'PLAIN'] as const)(
    'and virtual hosts with odd characters work, %s',
    async (rabbitLoginMethod) => {
      const { admin } = sharedRabbit();
      const name = `odd/${vhost.name}%2F é`;
      const user = `user@${vhost.name}-${rabbitLoginMethod}`;
      await admin.addUser(user, secret);
      await admin.addVhost(name, user);
      const broker = brokers.open(rabbitUrl({ ...vhost.address, user, password: secret }, name), { rabbitLoginMethod });
      await broker.connected(0);
      expect(await admin.listConnections(name)).toMatchObject([
        { user, vhost: name, authMechanism: rabbitLoginMethod },
      ]);
      expect(broker.url).not.toContain(encodeURIComponent(secret));
      await broker.close();
      await admin.deleteVhost(name);
    },
  );

  it('that are wrong are the reason that a timeout tells', async () => {
    const wrong: RabbitAddress = { ...vhost.address, password: 'wrong-one' };
    const broker = brokers.open(rabbitUrl(wrong, vhost.name));
    await eventually(() => failures(broker).length > 0);
    const client = new RpcClient(broker, { topic: 'x' }, { timeout: 0.5 });
    await expect(client.call('ping')).rejects.toThrow(/there is no connection to the broker \(.*ACCESS_REFUSED/);
    await expect(broker.publish({ ...message, giveUpMs: 50 })).rejects.toThrow('ACCESS_REFUSED');
    await expect(broker.inspectQueue('q')).rejects.toThrow('ACCESS_REFUSED');
    const reported = broker.reports('connection-changed').find(({ to }) => to === 'disconnected');
    expect(reported).toMatchObject({ level: 'error', message: expect.stringContaining('ACCESS_REFUSED') });
    await client.close();
  });
});

describe('a host that accepts connections and says nothing', () => {
  it('is tried once more beside that, long before its time is over', async () => {
    const sockets: Socket[] = [];
    const { host, port } = vhost.address;
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
      if (sockets.length === 1) socket.resume();
      else socket.pipe(connect(port, host).on('error', () => undefined)).pipe(socket);
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const broker = brokers.open(vhost.urlVia(server.address() as AddressInfo), { livenessTimeoutMs: 60_000 });
    await broker.connected();
    expect(sockets).toHaveLength(2);
    await eventually(() => sockets[0]?.closed);
    await broker.close();
    await new Promise((resolve) => void server.close(resolve));
  });
});

describe('a broker that is slow', () => {
  it('gets more time with each attempt', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    // Three questions and answers: a second and a half.
    proxy.delay(250);
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 1_000 });
    await broker.connected();
    expect(failures(broker).length).toBeGreaterThan(0);
    await broker.close();
    await proxy.close();
  });
});

describe('closing', () => {
  it('in the middle of a handshake ends the attempt', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    const struck = proxy.strike({ from: 'broker', method: 'ConnectionStart', fault: 'stall' });
    const broker = brokers.open(vhost.urlVia(proxy));
    const waiting = Promise.allSettled([broker.connected(), broker.publish(message)]);
    await struck;
    await Promise.all([broker.close(), broker.close()]);
    for (const outcome of await waiting) expect(outcome).toMatchObject({ reason: expect.any(ClosedError) });
    expect(broker.state).toBe('closed');
    proxy.resume();
    await eventually(() => proxy.open === 0);
    expect(proxy.accepted).toBe(1);
    await proxy.close();
  });

  it('with a line that answers nothing does not wait for it', async () => {
    const proxy = await AmqpProxy.start(vhost.address);
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 60_000 });
    const topology = topicTopology('tx', 'stalled');
    const subscription = await broker.consume(collect().request(topology));
    await broker.publish({ exchange: 'tx', routingKey: 'stalled', body: '1', topology });
    proxy.stall();
    const unconfirmed = Promise.allSettled([broker.publish(message)]);
    await Promise.all([subscription.close(), broker.close()]);
    expect(await unconfirmed).toMatchObject([{ reason: expect.any(ClosedError) }]);
    proxy.resume();
    await proxy.close();
    await vhost.deleteQueue('stalled');
  });

  it('gives back what was not acknowledged, and writes what was', async () => {
    const broker = brokers.open(vhost.url);
    const topology = topicTopology('tx', 'given');
    const received = collect();
    await broker.consume(received.request(topology));
    for (const body of ['1', '2', '3']) await broker.publish({ exchange: 'tx', routingKey: 'given', body, topology });
    (await received.next()).ack();
    await eventually(() => received.all.length === 3);
    await broker.close();
    expect(await vhost.queue('given')).toMatchObject({ messagesReady: 2, messagesUnacknowledged: 0, consumers: 0 });
    expect(received.interruptions).toBe(0);
    expect(received.all[1]?.ack()).toBe(false);
    await vhost.deleteQueue('given');
  });
});
