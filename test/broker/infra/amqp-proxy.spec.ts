import { type ConfirmChannel, type ChannelModel, connect } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';

describe('the proxy between client and broker', () => {
  const vhost = useVhost();
  let proxy: AmqpProxy;
  let connection: ChannelModel;
  let channel: ConfirmChannel;
  let closed: Promise<void>;

  beforeEach(async () => {
    proxy = await AmqpProxy.start(vhost.address);
    connection = await connect(vhost.urlVia(proxy).replace('rabbit:', 'amqp:'));
    closed = new Promise((resolve) => connection.on('error', () => undefined).once('close', () => resolve()));
    channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue('q', { durable: false });
    await channel.purgeQueue('q');
  });
  afterEach(async () => {
    await connection.close().catch(() => undefined);
    await proxy.close();
  });

  const ready = async (): Promise<number | undefined> => (await vhost.queue('q'))?.messagesReady;

  it('writes down methods, properties and bodies of both directions', async () => {
    const body = Buffer.alloc(300_000, 'x');
    channel.publish('', 'q', body, { expiration: '60000', contentType: 'application/json', headers: {} });
    await channel.waitForConfirms();

    expect(proxy.sent('QueueDeclare')[0]?.fields).toMatchObject({ queue: 'q', durable: false, arguments: {} });
    const [publish] = proxy.sent('BasicPublish');
    expect(publish?.fields).toMatchObject({ exchange: '', routingKey: 'q', mandatory: false });
    expect(publish?.properties).toMatchObject({ expiration: '60000', contentType: 'application/json', headers: {} });
    expect(publish?.body?.equals(body)).toBe(true);
    expect(proxy.received('BasicAck')).toHaveLength(1);
  });

  it('drops connections', async () => {
    proxy.drop();
    await closed;
    expect(proxy.open).toBe(0);
  });

  it('loses a confirm, keeping the connection', async () => {
    const lost = proxy.strike({ from: 'broker', method: 'BasicAck', fault: 'swallow' });
    let confirmed = false;
    channel.publish('', 'q', Buffer.from('1'), {}, () => (confirmed = true));
    await lost;
    await channel.checkQueue('q');
    expect(confirmed).toBe(false);
    expect(await ready()).toBe(1);
  });

  it('cuts inside a message, which then never happened', async () => {
    const struck = proxy.strike({ from: 'client', method: 'BasicPublish', fault: 'cut-inside' });
    channel.publish('', 'q', Buffer.from('1'));
    await struck;
    await closed;
    expect(await ready()).toBe(0);
  });

  it('cuts after a message, which then has happened', async () => {
    const struck = proxy.strike({ from: 'client', method: 'BasicPublish', fault: 'cut-after' });
    channel.publish('', 'q', Buffer.from('1'));
    await struck;
    await closed;
    await eventually(async () => (await ready()) === 1);
  });

  it('stalls and resumes', async () => {
    proxy.stall();
    channel.publish('', 'q', Buffer.from('1'));
    await proxy.waitFor('client', 'BasicPublish');
    expect(await ready()).toBe(0);
    proxy.resume();
    await channel.waitForConfirms();
    expect(await ready()).toBe(1);
  });

  it('refuses new connections until it accepts again', async () => {
    await proxy.refuse();
    const url = vhost.urlVia(proxy).replace('rabbit:', 'amqp:');
    await expect(connect(url)).rejects.toThrow('ECONNREFUSED');
    await channel.checkQueue('q');
    await proxy.accept();
    await (await connect(url)).close();
  });
});
