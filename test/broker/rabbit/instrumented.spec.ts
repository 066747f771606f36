import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildSamples } from '../../support/run-sample.js';
import { useVhost } from '../../support/rabbit.js';
import type { ProgramReport, SpanReport } from './instrumented-program.js';

const SOURCE = 'test/broker/rabbit/instrumented-program.ts';
const FOLDER = resolve('.cache/test-programs');
/** That many show whether anything is kept of each; more by hand: `OSLO_TEST_INSTRUMENTED=100000`. */
const MANY = Number(process.env['OSLO_TEST_INSTRUMENTED'] ?? 2_000);
/** A request, and what comes of it at the server. */
const served = (name: string, ...more: string[]): string[] => [`publish nova > conductor process > ${name}`, ...more];

const vhost = useVhost();

/** Compiles the program; it imports the built package by its name. */
function compiled(name: string, module: ts.ModuleKind): string {
  const program = resolve(FOLDER, name);
  const compilerOptions = { module, target: ts.ScriptTarget.ES2023 };
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(program, ts.transpileModule(readFileSync(SOURCE, 'utf8'), { compilerOptions }).outputText);
  return program;
}

beforeAll(buildSamples, 300_000);

describe.each([
  ['import', 'instrumented.mjs', ts.ModuleKind.ESNext],
  ['require', 'instrumented.cjs', ts.ModuleKind.CommonJS],
] as const)("OpenTelemetry's instrumentation of amqplib (%s)", (_way, name, module) => {
  let report: ProgramReport;

  beforeAll(() => {
    const args = ['--expose-gc', compiled(name, module), vhost.url, String(MANY)];
    report = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000 })) as ProgramReport;
  }, 120_000);

  /** From a span that the application has begun to each that has none below it, their names. */
  const pathsBelow = (root: string): string[] => {
    const pathsOf = (span: SpanReport): string[] => {
      const children = report.spans.filter(({ parent }) => parent === span.id);
      const name = span.name.replace(/reply_\w+/, 'reply');
      return children.length === 0 ? [name] : children.flatMap(pathsOf).map((path) => `${name} > ${path}`);
    };
    const found = report.spans.find((span) => span.name === root)!;
    return pathsOf(found).map((path) => path.slice(root.length + ' > '.length));
  };

  it('sees the end of every message', () => {
    expect(report.spans.filter(({ ended }) => !ended)).toEqual([]);
    expect(report.spans.filter(({ name: what }) => what.endsWith(' process')).length).toBe(5 * 2 + 1 + 2 + 2);
  });

  it.each(['a', 'b', 'c', 'd', 'e'])(
    'puts call %s, its handler and its reply into one trace, beside others',
    (call) => {
      const reply = 'publish nova > conductor process > publish <default> > reply process';
      expect(pathsBelow(`call ${call}`)).toEqual(served(`work ${call}`, reply));
    },
  );

  it('and a cast', () => {
    expect(pathsBelow('cast')).toEqual(served('work cast'));
  });

  it('sees that a listener sends a notification back, and takes it then', () => {
    const handled = 'publish nova > notifications.info process > listen';
    expect(pathsBelow('notify')).toEqual([handled, handled]);
    const consumed = report.spans.filter(({ name: what }) => what === 'notifications.info process');
    expect(consumed.map(({ failure }) => failure)).toEqual(['reject called on message with requeue', undefined]);
  });

  it('is below the spans of our own hook, and not above them', () => {
    const below = 'work send > publish nova > hooked process > publish <default> > reply process';
    expect(pathsBelow('hooked')).toEqual([below, 'work send > work receive > work hooked']);
  });

  it(`leaves nothing behind of ${MANY} messages`, () => {
    const { consumed, unended, alive } = report.many;
    // Calls have replies.
    expect(consumed).toBe(MANY * 1.5);
    expect({ unended, alive }).toEqual({ unended: 0, alive: 0 });
  });
});
