import { expect, it, onTestFinished } from 'vitest';
import { getOsloClientToken, type OsloClient } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { probe, startProbed } from '../../unit/nest/health-apps.js';

const vhost = useVhost();

it('a readiness probe follows a real broker, opens no connection and tells no secret', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  onTestFinished(() => proxy.close());
  const { app } = await startProbed(vhost.urlVia(proxy));
  const client = app.get<OsloClient>(getOsloClientToken('CONDUCTOR'), { strict: false });
  await client.call('echo');
  await eventually(async () => (await vhost.listConnections()).length === 2);
  const before = (await vhost.listConnections()).map(({ name }) => name).sort();
  for (let round = 0; round < 20; round += 1) expect(await probe(app)).toMatchObject({ code: 200 });
  expect((await vhost.listConnections()).map(({ name }) => name).sort()).toEqual(before);

  await proxy.refuse();
  proxy.drop();
  const down = await eventually(async () => {
    const answer = await probe(app);
    return answer.code === 503 && answer;
  });
  expect(down.body.details.oslo).toMatchObject({
    status: 'down',
    message: expect.stringContaining('is not connected'),
  });
  for (const secret of [vhost.address.password, vhost.address.user, String(proxy.port), '127.0.0.1', vhost.name]) {
    expect(down.text).not.toContain(secret);
  }

  await proxy.accept();
  await eventually(async () => (await probe(app)).code === 200);
  expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
});

it('a readiness probe sees a request queue that was deleted come back', async () => {
  const { app, oslo } = await startProbed(vhost.url);
  const states: string[] = [];
  const watch = setInterval(() => states.push(oslo.check('oslo').oslo.status), 1);
  onTestFinished(() => clearInterval(watch));
  expect(await vhost.deleteQueue('conductor')).toBe(true);
  await eventually(() => states.includes('down'));
  await eventually(async () => (await probe(app)).code === 200);
});
