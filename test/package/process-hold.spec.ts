import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** Whether a process ends by itself is a question for a process of its own. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oslo-hold-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the steps, each with `said` to tell what happened; "idle" is told when nothing else held the process. */
function run(steps: string): string[] {
  const door = (name: string): string => JSON.stringify(pathToFileURL(resolve('dist', name)).href);
  const file = join(folder, 'program.mjs');
  writeFileSync(
    file,
    `
    import { connectBroker, RpcServer } from ${door('core.js')};
    import { createMemoryBus } from ${door('testing/index.js')};
    const said = (word) => console.log(word);
    process.on('beforeExit', () => said('idle'));
    /** A turn that holds nothing itself: without somebody else, the process is idle before. */
    const later = () => new Promise((resolve) => setTimeout(resolve, 50).unref());
    const bus = createMemoryBus();
    const broker = await connectBroker(bus.url);
    const server = new RpcServer(broker, { topic: 'conductor', server: 'host1' }, [{ methods: { ping: () => 'pong' } }]);
    ${steps}
    `,
  );
  return execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 60_000 }).trim().split('\n');
}

it('a broker that is connected, and consumes nothing, lets its process end', () => {
  expect(run(`setTimeout(() => said('held'), 20_000).unref();`)).toEqual(['idle']);
});

it('a server holds its process, also while its connection is lost, until it is closed', () => {
  const steps = `
    await server.start();
    await later();
    said('held');
    bus.dropConnection();
    await later();
    await later();
    said('held again');
    await server.close();
    setTimeout(() => said('still held'), 20_000).unref();
  `;
  expect(run(steps)).toEqual(['held', 'held again', 'idle']);
});

it('and until its broker is closed', () => {
  const steps = `
    await server.start();
    await later();
    said('held');
    await broker.close();
    setTimeout(() => said('still held'), 20_000).unref();
  `;
  expect(run(steps)).toEqual(['held', 'idle']);
});

it('a server that was refused holds nothing', () => {
  const steps = `
    const other = new RpcServer(await connectBroker(bus.url + '?amqp_auto_delete=true'), { topic: 'conductor', server: 'host1' }, []);
    await server.start();
    await other.start().then(() => said('started'), () => said('refused'));
    await server.close();
    setTimeout(() => said('still held'), 20_000).unref();
  `;
  expect(run(steps)).toEqual(['refused', 'idle']);
});
