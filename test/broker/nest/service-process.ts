import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';
import { onTestFinished } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { nest11Folder } from '../../support/nest-11.js';
import type { PeerSet } from '../../support/peer-sets.js';
import { buildSamples } from '../../support/run-sample.js';
import type { ServiceReport } from './draining-service.js';

const SOURCE = resolve('test/broker/nest/draining-service.ts');
/** Of a project whose specs run on Nest 11, its service does, too. */
const which = process.env['OSLO_TEST_NEST_11'] as PeerSet | undefined;
const FOLDER = which ? nest11Folder(which) : resolve('.cache/test-programs');
const PROGRAM = resolve(FOLDER, 'draining-service.mjs');

/** Compiles the service; it imports the built package by its name. For a `beforeAll`. */
export async function buildService(): Promise<void> {
  await buildSamples();
  if (which) installPackage(FOLDER);
  const compilerOptions: ts.CompilerOptions = {
    emitDecoratorMetadata: true,
    experimentalDecorators: true,
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
  };
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(PROGRAM, ts.transpileModule(readFileSync(SOURCE, 'utf8'), { compilerOptions }).outputText);
}

/** As npm does: a copy, whose imports find the packages beside it. */
function installPackage(folder: string): void {
  const copy = join(folder, 'node_modules/nestjs-oslo-messaging');
  rmSync(copy, { recursive: true, force: true });
  for (const part of ['package.json', 'dist']) cpSync(part, join(copy, part), { recursive: true });
}

/** `draining-service.ts` in a process of its own. */
export class ServiceProcess {
  readonly reports: ServiceReport[] = [];
  private errors = '';

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.reports.push(JSON.parse(line)));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
  }

  static async start(transportUrl: string, server: string, form: string): Promise<ServiceProcess> {
    const child = spawn(process.execPath, [PROGRAM, transportUrl, server, form], { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const service = new ServiceProcess(child);
    await eventually(() => service.reports.some(({ what }) => what === 'ready'), `${server} ready ${service.errors}`);
    return service;
  }

  /** What it has run so far. */
  get ran(): Extract<ServiceReport, { what: 'ran' }>[] {
    return this.reports.filter((report) => report.what === 'ran');
  }

  /** Ends it with SIGTERM; the signal it died of, and what it had to complain of. */
  async terminate(): Promise<{ signal: unknown; errors: string }> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    const [, signal] = await closed;
    return { signal, errors: this.errors };
  }
}
