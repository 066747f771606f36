// Makes projects with the generators of Nest 11 and 12, puts an endpoint, a client and a test (test/projects) into each, and builds,
// tests and runs it in every way that docs/nest-versions.md names. Names choose some: `npm run projects -- swc ts-node`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './install.mjs';

const sources = join(root, 'test/projects');
/** A RangeError is Python's ValueError. */
const expected = '{"size":4,"refused":"ValueError"}';
const chosen = process.argv.slice(2);
const base = mkdtempSync(join(tmpdir(), 'oslo-projects-'));
// A terminal knows nothing of this repository's packages.
const PATH = process.env.PATH.split(':')
  .filter((path) => !path.includes('node_modules'))
  .join(':');
const environment = { HOME: process.env.HOME, LANG: process.env.LANG, PATH, CI: 'true', NO_COLOR: '1' };

/** What it printed. @throws Error that it failed, with all of that */
function run(cwd, program, ...args) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

function mustPrint(printed) {
  if (!printed.includes(expected)) throw new Error(`printed ${printed}, not ${expected}`);
}

/** `extensions`: as projects of ES modules have them. */
function fill(folder, { extensions, testing }) {
  for (const name of readdirSync(folder)) if (name.startsWith('app.')) rmSync(join(folder, name));
  for (const name of readdirSync(sources)) {
    let text = readFileSync(join(sources, name), 'utf8');
    if (!extensions) text = text.replace(/from '(\.[^']+)\.js'/g, "from '$1'");
    if (testing === 'jest') text = text.replace(/^import .* from 'vitest';\n/m, '');
    writeFileSync(join(folder, name.replace('.test-spec.', '.spec.')), text);
  }
}

function generate(major, name, tarball) {
  const options = ['--skip-git', '--skip-install', '--package-manager', 'npm'];
  run(base, 'npx', '--yes', `@nestjs/cli@${major}`, 'new', name, ...options, ...(major === 12 ? ['--no-observe'] : []));
  const project = join(base, name);
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error'];
  run(project, 'npm', ...install, tarball, `@nestjs/microservices@${major}`);
  return project;
}

function builtAndRun(project, ...options) {
  run(project, 'npx', 'nest', 'build', ...options);
  mustPrint(run(project, process.execPath, 'dist/main'));
}

/** Of CLI 11, by name; each leaves the project to the next as it was, but the last. */
const ways11 = {
  'ts-jest': (project) => run(project, 'npx', 'jest'),
  '@swc/jest': (project) => {
    const jest = {
      rootDir: 'src',
      testRegex: '\\.spec\\.ts$',
      testEnvironment: 'node',
      transform: {
        '^.+\\.ts$': [
          '@swc/jest',
          {
            jsc: {
              parser: { syntax: 'typescript', decorators: true },
              transform: { legacyDecorator: true, decoratorMetadata: true },
            },
          },
        ],
      },
    };
    const file = join(project, 'jest.swc.json');
    writeFileSync(file, JSON.stringify(jest));
    run(project, 'npx', 'jest', '--config', file);
  },
  'nest build': (project) => builtAndRun(project),
  'swc builder': (project) => builtAndRun(project, '-b', 'swc'),
  'ts-node': (project) => mustPrint(run(project, 'npx', 'ts-node', 'src/main.ts')),
  nodenext: (project) => run(project, 'npx', 'tsc', '--noEmit'),
  node16: (project) => run(project, 'npx', 'tsc', '--noEmit', '--module', 'node16', '--moduleResolution', 'node16'),
  node10: (project) => {
    const types = ['--module', 'commonjs', '--moduleResolution', 'node10', '--resolvePackageJsonExports', 'false'];
    run(project, 'npx', 'tsc', '--noEmit', ...types);
  },
  'webpack, bundled': (project) => {
    // Nest's way is to bundle nothing of node_modules. Here this package and amqplib are within, all else stays outside.
    const text = `module.exports = (options) => ({
      ...options,
      externals: [({ request }, told) =>
        /^(\\.|\\/|nestjs-oslo-messaging|amqplib)/.test(request) ? told() : told(null, 'commonjs ' + request)],
    });`;
    writeFileSync(join(project, 'webpack.config.js'), text);
    builtAndRun(project, '--webpack');
    rmSync(join(project, 'webpack.config.js'));
    const bundle = readFileSync(join(project, 'dist/main.js'), 'utf8');
    if (!bundle.includes('OSLO_HANDLER')) throw new Error('the package is not within the bundle');
  },
  'webpack, monorepo': (project) => {
    run(project, 'npx', 'nest', 'generate', 'app', 'second');
    run(project, 'npx', 'nest', 'build', 'app-11');
    mustPrint(run(project, process.execPath, 'dist/apps/app-11/main'));
  },
};

/** Of CLI 12. */
const ways12 = {
  vitest: (project) => run(project, 'npx', 'vitest', 'run'),
  'nest build': (project) => builtAndRun(project),
  nodenext: (project) => run(project, 'npx', 'tsc', '--noEmit'),
};

const projects = [
  { major: 11, ways: ways11, testing: 'jest', extensions: false, more: ['@swc/cli', '@swc/core', '@swc/jest'] },
  { major: 12, ways: ways12, testing: 'vitest', extensions: true, more: [] },
];

const outcomes = [];
function attempt(name, work) {
  const startedAt = performance.now();
  let outcome = 'works';
  try {
    work();
  } catch (error) {
    outcome = 'FAILED';
    console.log(`\n${name}: ${error.message}\n`);
  }
  outcomes.push({ name, outcome, seconds: Math.round((performance.now() - startedAt) / 1000) });
  console.log(`${outcome}: ${name}`);
  return outcome === 'works';
}

try {
  const [{ filename }] = JSON.parse(run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', base));
  for (const { major, ways, more, ...form } of projects) {
    const wanted = Object.keys(ways).filter((way) => chosen.length === 0 || chosen.some((name) => way.includes(name)));
    if (wanted.length === 0) continue;
    let project;
    const isThere = attempt(`CLI ${major}: nest new`, () => {
      project = generate(major, `app-${major}`, join(base, filename));
      if (more.length > 0) run(project, 'npm', 'install', '--no-audit', '--no-fund', '--save-dev', ...more);
      fill(join(project, 'src'), form);
    });
    if (isThere) for (const way of wanted) attempt(`CLI ${major}: ${way}`, () => ways[way](project));
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
console.table(outcomes);
process.exit(outcomes.length > 0 && outcomes.every(({ outcome }) => outcome === 'works') ? 0 : 1);
