import { NestFactory } from '@nestjs/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { OsloRpcModule } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { rabbitUrl } from '../../support/rabbit-url.js';

const vhost = useVhost();

it('ACCESS_REFUSED at the start is an error of the log, again with each attempt, until somebody mends it', async () => {
  const write = () => vi.fn<(message: unknown, ...rest: unknown[]) => void>();
  const logger = { debug: write(), error: write(), fatal: write(), log: write(), verbose: write(), warn: write() };
  const { admin } = vhost;
  const user = `late-${vhost.name}`;
  const transportUrl = rabbitUrl({ ...vhost.address, user, password: 'hush-hush' }, vhost.name);
  class App {}
  const imports = [OsloRpcModule.forRoot({ transportUrl }), OsloRpcModule.forFeature([{ name: 'A', topic: 'a' }])];
  const starting = NestFactory.createApplicationContext({ module: App, imports }, { logger, abortOnError: false });
  onTestFinished(async () => {
    await (await starting).close();
    await admin.deleteUser(user);
  });

  const refusals = () => logger.error.mock.calls.map(([line]) => String(line)).filter((line) => /_REFUSED/.test(line));
  await eventually(() => refusals().length >= 2);
  const { host, port } = vhost.address;
  const place = `${host}:${port} (virtual host ${vhost.name}, publishing)`;
  for (const line of refusals()) expect(line).toContain(`Connecting to ${place} failed: ACCESS_REFUSED`);
  expect(new Set(refusals()).size).toBe(1);
  expect(logger.warn.mock.calls.join()).not.toContain('ACCESS_REFUSED');
  expect(JSON.stringify(Object.values(logger).map(({ mock }) => mock.calls))).not.toContain('hush-hush');

  await admin.addUser(user, 'hush-hush');
  await admin.setPermissions(vhost.name, user, { configure: '.*', write: '.*', read: '.*' });
  await starting;
  expect(logger.log.mock.calls.flat()).toContain(`Connected to ${place}`);
});
