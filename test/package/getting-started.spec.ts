import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stepsOf } from '../support/guide.js';
import { type RabbitServer, startRabbit } from '../support/rabbit-server.js';
import { Reader } from '../support/reader.js';

interface Manifest {
  name: string;
  peerDependencies: Record<string, string>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const page = readFileSync('docs/getting-started.md', 'utf8');
const steps = stepsOf(page);

/** All that the package says it works with, the newest first: what a registry gives to who names no version. */
const majors = [...manifest.peerDependencies['@nestjs/core']!.matchAll(/\^(\d+)/g)]
  .map(([, major]) => Number(major))
  .toSorted((one, other) => other - one);
const newest = majors[0]!;
/** Each major once, each package manager once: an installation takes most of the time. */
const readers = majors.map((major, at) => ({ manager: ['npm', 'pnpm'][at % 2]!, major }));
/** Those of npm that the oldest Node runs. */
const MANAGERS = ['pnpm@10'];

describe('docs/getting-started.md, to the letter', () => {
  let rabbit: RabbitServer;
  let base: string;
  let tarball: string;
  let reader: Reader | undefined;

  beforeAll(async () => {
    if (!existsSync('dist/index.js')) throw new Error('not built: run `npm run build`');
    base = mkdtempSync(join(tmpdir(), 'oslo-getting-started-'));
    const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', base];
    const [{ filename }] = JSON.parse(execFileSync('npm', packing, { encoding: 'utf8' })) as [{ filename: string }];
    tarball = join(base, filename);
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', join(base, 'managers'), ...MANAGERS]);
    rabbit = await startRabbit();
  }, 180_000);
  afterEach(() => reader?.leave());
  afterAll(async () => {
    await rabbit?.dispose();
    if (base) rmSync(base, { recursive: true, force: true });
  }, 120_000);

  /** The page as it stands, but for what is not in a registry yet, the broker of the tests, and the version of Nest. */
  const replace =
    (major: number) =>
    (text: string): string => {
      const here = text.replaceAll('127.0.0.1:5672', `${rabbit.host}:${rabbit.port}`);
      if (!/^(npm install|pnpm add|yarn add) /.test(text)) return here;
      const nest = major === newest ? '$&' : `$&@${major}`;
      return here.replace(/(?<= )nestjs-oslo-messaging(?= |$)/, tarball).replace(/@nestjs\/\w+/g, nest);
    };

  it.each(readers)(
    'works with $manager and Nest $major',
    async ({ manager, major }) => {
      const folder = join(base, `${manager}-${major}`);
      mkdirSync(folder);
      const own = process.env['PATH']!.split(':').filter((path) => !path.includes('node_modules'));
      const PATH = [join(base, 'managers/node_modules/.bin'), ...own].join(':');
      // What this process was told by Vitest and npm is not what a terminal knows.
      const { HOME, LANG } = process.env;
      const environment = { HOME, LANG, PATH, NO_COLOR: '1', CI: 'true' };
      reader = new Reader(folder, { chosen: [manager, `nest${major}`], replace: replace(major), environment });
      await reader.follow(steps);
      const installed = join(folder, 'node_modules/@nestjs/core/package.json');
      expect((JSON.parse(readFileSync(installed, 'utf8')) as { version: string }).version).toMatch(`${major}.`);
    },
    600_000,
  );

  it('shows the docker-compose.yml that is in the repository', () => {
    const shown = steps.find((step) => step.kind === 'file' && step.name === 'docker-compose.yml');
    expect(shown).toMatchObject({ content: readFileSync('docker-compose.yml', 'utf8') });
  });
});
