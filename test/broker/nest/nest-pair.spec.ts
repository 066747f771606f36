import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { OsloRpcContext } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { useVhost } from '../../support/rabbit.js';
import { eventsOf, newClient, newServer, rootModule, serve } from '../../unit/nest/nest-apps.js';

const vhost = useVhost();
const reloaded = vi.fn<(server: string | undefined) => void>();

class HostNotFound extends Error {}

@Controller()
class ConductorController {
  @MessagePattern({ namespace: 'baseapi', method: 'ping', version: '1.1' })
  ping(@Payload('arg') arg: string) {
    return `pong ${arg}`;
  }

  @MessagePattern('fail')
  fail() {
    throw new HostNotFound('host1');
  }

  @EventPattern('reload')
  reload(@Ctx() { target }: OsloRpcContext) {
    reloaded(target.server);
  }
}

it('serves calls, casts, fanouts and failures', async () => {
  reloaded.mockClear();
  const options = { transportUrl: vhost.url, exchange: 'nova' };
  await serve(rootModule([ConductorController]), { ...options, server: 'host1' });
  await serve(rootModule([ConductorController]), { ...options, server: 'host2' });
  const client = newClient(options);
  const ping = { namespace: 'baseapi', method: 'ping', version: '1.0' };
  expect(await lastValueFrom(client.send(ping, { arg: 'hi' }))).toBe('pong hi');
  await expect(lastValueFrom(client.send('fail', {}))).rejects.toMatchObject({
    excType: 'HostNotFound',
    remoteMessage: 'host1',
  });
  await firstValueFrom(client.emit({ method: 'reload', server: 'host2' }, {}));
  await eventually(() => reloaded.mock.calls.length === 1);
  expect(reloaded.mock.calls).toEqual([['host2']]);
  await firstValueFrom(client.emit({ method: 'reload', fanout: true }, {}));
  await eventually(() => reloaded.mock.calls.length === 3);
  const names = (await vhost.listQueues()).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['conductor', 'conductor.host1', 'conductor.host2']));
});

it('serves on after its connections were lost, and calls back once', async () => {
  const server = newServer({ transportUrl: vhost.url, topic: 'restless' });
  server.addHandler('ping', async () => 'pong');
  const callback = vi.fn<(error: unknown) => void>();
  await new Promise<void>((resolve) => {
    server.listen((error) => {
      callback(error);
      resolve();
    });
  });
  const client = newClient({ transportUrl: vhost.url, topic: 'restless', timeout: 20 });
  const states: string[] = [];
  client.status.subscribe((status) => states.push(status));
  expect(await lastValueFrom(client.send('ping', {}))).toBe('pong');
  const events = eventsOf(server);
  await vhost.closeAllConnections();
  await eventually(() => events.some((event) => event.type === 'connection-changed' && event.to === 'disconnected'));
  expect(await lastValueFrom(client.send('ping', {}))).toBe('pong');
  expect(callback.mock.calls).toEqual([[undefined]]);
  expect(states).toEqual(['connecting', 'connected', 'connecting', 'connected']);
});

it('tells listen() of a broker that is not there, once', async () => {
  const transportUrl = vhost.urlVia({ port: await freePort() });
  const strategy = newServer({ transportUrl, startupTimeoutMs: 200 });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(rootModule([ConductorController]), {
    strategy,
    logger: false,
  });
  await expect(app.listen()).rejects.toMatchObject({ name: 'MessageDeliveryFailure' });
  await app.close();
});

it('can be closed while it waits for a broker', async () => {
  const server = newServer({ transportUrl: vhost.urlVia({ port: await freePort() }) });
  const listened = new Promise((resolve) => server.listen(resolve));
  await server.close();
  expect(await listened).toMatchObject({ name: 'ClosedError' });
});

it('does not remember a failure to connect', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  onTestFinished(() => proxy.close());
  await proxy.refuse();
  const client = newClient({ transportUrl: vhost.urlVia(proxy), startupTimeoutMs: 200 });
  await expect(client.connect()).rejects.toMatchObject({ name: 'MessageDeliveryFailure' });
  await proxy.accept();
  await eventually(async () => {
    await client.connect();
    return true;
  });
  expect(client.unwrap()).toMatchObject({ state: 'connected' });
  await client.close();
});

it('times out without a connection', async () => {
  const client = newClient({ transportUrl: vhost.urlVia({ port: await freePort() }), timeout: 0.2 });
  await expect(lastValueFrom(client.send('ping', {}))).rejects.toMatchObject({ name: 'MessagingTimeout' });
});
