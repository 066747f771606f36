import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { stepsOf } from '../support/guide.js';
import { type RabbitServer, startRabbit } from '../support/rabbit-server.js';

const page = readFileSync('README.md', 'utf8');
/** In the repository, so that they find the built package by its name. */
const folder = resolve('.cache/readme');
const python = resolve('.cache/venv/18.3.1/bin/python');

/** As a compiler makes it of the user's project: decorators, and the types of constructor parameters. */
function compiled(code: string): string {
  const { ModuleKind, ScriptTarget } = ts;
  const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 };
  const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true };
  return ts.transpileModule(code, { compilerOptions: { ...options, ...decorators } }).outputText;
}

describe('the programs of the README', () => {
  let rabbit: RabbitServer;
  const running: Record<string, { program: ChildProcess; printed: string }> = {};
  const environment = { ...process.env, NO_COLOR: '1', PYTHONWARNINGS: 'ignore' };
  const run = (program: string, file: string): string =>
    execFileSync(program, [join(folder, file)], { encoding: 'utf8', env: environment });

  /** A program that runs on, as soon as it has printed that. */
  async function started(file: string, shown: string): Promise<void> {
    const program = spawn(process.execPath, [join(folder, file)], { env: environment });
    const run = (running[file] = { program, printed: '' });
    for (const output of [program.stdout, program.stderr])
      output.setEncoding('utf8').on('data', (text: string) => (run.printed += text));
    await eventually(() => run.printed.includes(shown), `${file} printing ${shown}`, 60_000);
  }

  beforeAll(async () => {
    rabbit = await startRabbit();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const step of stepsOf(page)) {
      if (step.kind !== 'file') continue;
      const content = step.content.replaceAll('127.0.0.1:5672', `${rabbit.host}:${rabbit.port}`);
      const name = step.name.replace(/\.ts$/, '.mjs');
      writeFileSync(join(folder, name), name === step.name ? content : compiled(content));
    }
    await started('service.mjs', 'successfully started');
  }, 120_000);
  afterAll(async () => {
    for (const { program } of Object.values(running)) program.kill('SIGKILL');
    await rabbit?.dispose();
  });

  it('a Nest client calls the service, and all servers', async () => {
    expect(run(process.execPath, 'client.mjs')).toContain("{ pong: 'hi' }");
    await eventually(() => running['service.mjs']!.printed.includes('reloading'), 'the fanout');
  });

  it('Python calls it', () => {
    expect(run(python, 'client.py')).toContain("{'pong': 'hi', 'user': 'u1'}");
  });

  it('a notification is heard', async () => {
    const heard = 'conductor.host1 says compute.instance.create.end of i-1';
    await started('notify.mjs', heard);
    expect(running['notify.mjs']!.printed.split(heard)).toHaveLength(2);
  });

  it('it is short', () => {
    expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });
});
