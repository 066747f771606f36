import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Manifest {
  name: string;
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const entries = Object.keys(manifest.exports)
  .filter((entry) => !entry.endsWith('.json'))
  .map((entry) => manifest.name + entry.slice(1));

/** Optional peers that a door of their own needs. */
const OF_DOORS = ['@opentelemetry/api', 'prom-client'];

/** A project that has installed the tarball and what it declares to need, nothing else. */
describe('the packed package', () => {
  let project: string;
  let tarball: string;
  let files: string[];

  beforeAll(() => {
    if (!existsSync('dist/index.js')) throw new Error('not built: run `npm run build`');
    project = mkdtempSync(join(tmpdir(), 'oslo-package-'));
    const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], process.cwd());
    const [{ filename, files: listed }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
    tarball = join(project, filename);
    files = listed.map(({ path }) => path);
    const installed = join(project, 'node_modules', manifest.name);
    mkdirSync(installed, { recursive: true });
    run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
    const peers = Object.keys(manifest.peerDependencies);
    const required = peers.filter((name) => !manifest.peerDependenciesMeta[name]?.optional);
    const needed = [...Object.keys(manifest.dependencies), ...required];
    for (const name of [...needed, ...OF_DOORS, '@types/node']) link(name);
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const run = (program: string, args: string[], cwd = project): string =>
    execFileSync(program, args, { cwd, encoding: 'utf8' });
  const exportsBy = (statement: string): string[] =>
    JSON.parse(
      run(process.execPath, ['--input-type=module', '-e', `${statement} console.log(JSON.stringify(names));`]),
    ) as string[];

  function link(name: string): void {
    const to = join(project, 'node_modules', name);
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(resolve('node_modules', name), to);
  }

  it('holds what is built, and no more', () => {
    const others = files.filter((file) => !file.startsWith('dist/'));
    expect(others.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
    expect(files.filter((file) => /^dist\/.*(?<!\.c?js|\.d\.c?ts)$/.test(file))).toEqual([]);
  });

  it('is small: the command line runs the code of the library', () => {
    expect(statSync(tarball).size).toBeLessThan(350_000);
  });

  it('has a command line that loads nothing of Nest', () => {
    const { bin } = JSON.parse(readFileSync(join(project, 'node_modules', manifest.name, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    const program = join(project, 'node_modules', manifest.name, bin['oslo-bus']!);
    const told = join(project, 'told.cjs');
    writeFileSync(told, `process.on('exit', () => console.log(Object.keys(require.cache).join('\\n')));`);
    const printed = run(process.execPath, ['--require', told, program, '--help']);
    expect(printed).toContain('Usage: oslo-bus');
    expect(printed).toContain('/amqplib/');
    expect(printed).not.toMatch(/@nestjs|rxjs/);
    expect(statSync(program).mode & 0o111).toBe(0o111);
  });

  it('has no dead links between its pages', () => {
    const pages = ['README.md', ...readdirSync('docs').flatMap((file) => (file.endsWith('.md') ? `docs/${file}` : []))];
    const links = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, to]) => join(dirname(page), to!)),
    );
    expect(links).toContain('docs/nest.md');
    expect(links.filter((to) => !existsSync(to))).toEqual([]);
  });

  it('has nothing that publint objects to', async () => {
    const buffer = readFileSync(tarball);
    const bytes = buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball: bytes } });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('has types for each way to resolve them', () => {
    expect(run(resolve('node_modules/.bin/attw'), [tarball, '--format', 'table-flipped'])).toContain(
      'No problems found',
    );
  });

  it.each(entries)('loads %s by import and by require, with the same exports', (entry) => {
    const imported = exportsBy(`const names = Object.keys(await import('${entry}')).sort();`);
    const required = exportsBy(
      `import { createRequire } from 'node:module';
       const names = Object.keys(createRequire(process.cwd() + '/x.js')('${entry}')).filter((name) => name !== '__esModule').sort();`,
    );
    expect(required).toEqual(imported);
  });

  it.each(entries)('gives the classes of %s once, however it is loaded', (entry) => {
    const others = exportsBy(
      `import * as imported from '${entry}';
       import { createRequire } from 'node:module';
       const required = createRequire(process.cwd() + '/x.js')('${entry}');
       const names = Object.keys(imported).filter((name) => imported[name] !== required[name]);`,
    );
    expect(others).toEqual([]);
  });

  it('exports the pair that Nest is given', () => {
    const imported = exportsBy(`const names = Object.keys(await import('${manifest.name}'));`);
    expect(imported).toEqual(expect.arrayContaining(['ClientOsloRpc', 'OsloRpcModule', 'ServerOsloRpc']));
  });

  it('exports what tests need, apart', () => {
    const imported = exportsBy(`const names = Object.keys(await import('${manifest.name}/testing')).sort();`);
    expect(imported).toEqual(['MemoryTestBus', 'createMemoryBus', 'createOsloTestClient', 'expectNotification']);
  });

  it('loads neither traces nor metrics by the main door, and says which package their own doors lack', () => {
    for (const name of OF_DOORS) rmSync(join(project, 'node_modules', name));
    try {
      const imported = exportsBy(`const names = Object.keys(await import('${manifest.name}'));`);
      expect(imported).toContain('OsloRpcModule');
      const failing = `const names = [];
        for (const door of ['opentelemetry', 'prometheus'])
          await import('${manifest.name}/' + door).catch((error) => names.push(error.message));`;
      const [traces, metrics] = exportsBy(failing);
      expect(traces).toContain("'@opentelemetry/api'");
      expect(metrics).toContain("'prom-client'");
    } finally {
      for (const name of OF_DOORS) link(name);
    }
  });

  it('has types that a strict module and a strict script compile against', () => {
    const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}';`);
    const uses = `export const all = [${entries.map((_, index) => `entry${index}`).join()}];`;
    // Private members make a copy of a class another type.
    const sameClass = `import type { RpcClient } from '${manifest.name}';
      import type { RpcClient as OfCore } from '${manifest.name}/core';
      export const same = (one: RpcClient): OfCore => one;`;
    const files = ['module.mts', 'script.cts'];
    for (const file of files) writeFileSync(join(project, file), [...imports, uses, sameClass].join('\n'));
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    expect(run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), ...options, ...files])).toBe('');
  });
});
