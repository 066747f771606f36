import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** A project that has the package and what it depends on, and neither Nest nor rxjs. */
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'oslo-core-'));
  const modules = join(project, 'node_modules');
  const installed = join(modules, 'nestjs-oslo-messaging');
  mkdirSync(installed, { recursive: true });
  for (const part of ['dist', 'package.json']) cpSync(resolve(part), join(installed, part), { recursive: true });
  for (const name of ['amqplib', 'yaml']) symlinkSync(resolve('node_modules', name), join(modules, name));
});
afterAll(() => rmSync(project, { recursive: true }));

function run(program: string): string {
  const file = join(project, 'program.mjs');
  writeFileSync(file, program);
  return execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 60_000 });
}

it('serves and calls without Nest and rxjs', () => {
  const said = run(`
    import { connectBroker, RpcClient, RpcServer } from 'nestjs-oslo-messaging/core';
    const broker = await connectBroker('memory://');
    const target = { exchange: 'nova', topic: 'conductor' };
    const server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods: { ping: ({ arg }) => 'pong ' + arg } }]);
    await server.start();
    console.log(await new RpcClient(broker, target).call('ping', { arg: 'hi' }));
    await server.close();
    await broker.close();
  `);
  expect(said.trim()).toBe('pong hi');
});

it('says what is missing for Kafka', () => {
  const said = run(`
    import { connectBroker } from 'nestjs-oslo-messaging/core';
    await connectBroker('kafka://127.0.0.1:9092/').catch((error) => console.log(error.name, error.message));
  `);
  expect(said).toMatch(/^ConfigurationError .*npm install @platformatic\/kafka/);
});

it('is what the other door has, but for Nest', () => {
  const said = run(`
    import * as core from 'nestjs-oslo-messaging/core';
    console.log(Object.keys(core).filter((name) => /^(OsloClient|OsloRpc|OsloEndpoint|ServerOslo|ClientOslo|NotificationModule)/.test(name)).length);
  `);
  expect(said.trim()).toBe('0');
});
