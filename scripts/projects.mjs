// Makes projects with the generators of Nest 11 and 12, puts an endpoint, a client and a test (test/projects) into each, and builds,
// tests and runs it in every way that docs/nest-versions.md names. Names choose some: `npm run projects -- swc ts-node`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { root } from './install.mjs';

const sources = join(root, 'test/projects');
/** A RangeError is Python's ValueError. */
const expected = '{"size":4,"refused":"ValueError"}';
const chosen = process.argv.slice(2);
const base = mkdtempSync(join(tmpdir(), 'oslo-projects-'));
const tools = join(base, 'tools/node_modules');
// A terminal knows nothing of this repository's packages.
const PATH = process.env.PATH.split(':')
  .filter((path) => !path.includes('node_modules'))
  .join(':');
const npmInstall = ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error'];
const { HOME, LANG, NODE_EXTRA_CA_CERTS } = process.env;
const environment = { HOME, LANG, PATH, NODE_EXTRA_CA_CERTS, CI: 'true', NO_COLOR: '1' };

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

/** `type`: what CLI 12 asks for at a terminal, and its schematic takes as an option. */
function generate({ major, type, manager = managers.npm, more = [] }, name, tarball) {
  if (type) {
    const schematic = ['-p', `@nestjs/schematics@${major}`, '-p', '@angular-devkit/schematics-cli', 'schematics'];
    run(base, 'npx', '--yes', ...schematic, '@nestjs/schematics:application', `--name=${name}`, `--type=${type}`);
  } else {
    const options = ['--skip-git', '--skip-install', '--package-manager', 'npm'];
    if (major === 12) options.push('--no-observe');
    run(base, 'npx', '--yes', `@nestjs/cli@${major}`, 'new', name, ...options);
  }
  const project = join(base, name);
  manager.prepare?.(project);
  run(project, ...manager.add, `nestjs-oslo-messaging@file:${tarball}`, `@nestjs/microservices@${major}`);
  if (more.length > 0) run(project, ...npmInstall, '--save-dev', ...more);
  return project;
}

const berry = (nodeLinker) => ({
  prepare(project) {
    const settings = { nodeLinker, enableImmutableInstalls: false, enableTelemetry: false };
    writeFileSync(join(project, '.yarnrc.yml'), JSON.stringify(settings));
    // A folder with a lock is a project of its own.
    writeFileSync(join(project, 'yarn.lock'), '');
    completePeers(project);
  },
  add: ['node', join(tools, '@yarnpkg/cli-dist/bin/yarn.js'), 'add'],
  exec: ['node', join(tools, '@yarnpkg/cli-dist/bin/yarn.js'), 'exec'],
});

/** Vite 8.4.0 names an optional package that is not in the registry. Yarn insists on it, and PnP on each peer by name. */
function completePeers(project) {
  const file = join(project, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  if (manifest.devDependencies.vitest) manifest.devDependencies.vite = '~8.3.8';
  else manifest.devDependencies['jest-util'] = '^30.0.0';
  writeFileSync(file, JSON.stringify({ ...manifest, resolutions: { vite: '~8.3.8' } }));
}

const managers = {
  npm: { add: npmInstall },
  pnpm: { add: [join(tools, '.bin/pnpm'), 'add'] },
  'Yarn 1': {
    prepare: completePeers,
    // Some packages of Nest 12 ask for Node 22.
    add: ['node', join(tools, 'yarn/bin/yarn.js'), 'add', '--ignore-engines'],
  },
  'Yarn 4, node-modules': berry('node-modules'),
  'Yarn 4, PnP': berry('pnp'),
};

function builtAndRun(project, ...options) {
  run(project, 'npx', 'nest', 'build', ...options);
  mustPrint(run(project, process.execPath, 'dist/main'));
}

/** `more`: further options of Jest. */
function jestBySwc(project, more) {
  const jest = {
    rootDir: 'src',
    testRegex: '\\.spec\\.ts$',
    testEnvironment: 'node',
    transform: {
      '^.+\\.[jt]s$': [
        '@swc/jest',
        {
          jsc: {
            parser: { syntax: 'typescript', decorators: true },
            transform: { legacyDecorator: true, decoratorMetadata: true },
          },
          module: { type: 'commonjs' },
        },
      ],
    },
    ...more,
  };
  const file = join(project, 'jest.swc.json');
  writeFileSync(file, JSON.stringify(jest));
  run(project, 'npx', 'jest', '--config', file);
}

/** One file, this package and amqplib within, Nest outside. */
function bundledByEsbuild(project, format, ...options) {
  run(project, 'npx', 'nest', 'build');
  const file = `dist/bundle.${format === 'esm' ? 'mjs' : 'cjs'}`;
  const form = ['--bundle', '--platform=node', `--format=${format}`, '--external:@nestjs/*', `--outfile=${file}`];
  run(project, 'npx', 'esbuild', 'dist/main.js', ...form, ...options);
  mustHoldPackage(join(project, file));
  mustPrint(run(project, process.execPath, file));
}

function mustHoldPackage(bundle) {
  if (!readFileSync(bundle, 'utf8').includes('OSLO_HANDLER')) throw new Error('the package is not within the bundle');
}

const typesAre = (project, ...options) => run(project, 'npx', 'tsc', '--noEmit', ...options);

/** By name. */
const ofAll = {
  'nest build': (project) => builtAndRun(project),
  'swc builder': (project) => builtAndRun(project, '-b', 'swc'),
  nodenext: (project) => typesAre(project),
  bundler: (project) => typesAre(project, '--module', 'esnext', '--moduleResolution', 'bundler'),
};
const ofCommonJs = {
  ...ofAll,
  'ts-node': (project) => mustPrint(run(project, 'npx', 'ts-node', 'src/main.ts')),
  esbuild: (project) => bundledByEsbuild(project, 'cjs'),
};

/** Of CLI 11; each leaves the project to the next as it was, but the last. */
const ways11 = {
  ...ofCommonJs,
  'ts-jest': (project) => run(project, 'npx', 'jest'),
  '@swc/jest': (project) => jestBySwc(project),
  node16: (project) => typesAre(project, '--module', 'node16', '--moduleResolution', 'node16'),
  node10: (project) => {
    typesAre(project, '--module', 'commonjs', '--moduleResolution', 'node10', '--resolvePackageJsonExports', 'false');
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
    mustHoldPackage(join(project, 'dist/main.js'));
  },
  'webpack, monorepo': (project) => {
    run(project, 'npx', 'nest', 'generate', 'app', 'second');
    run(project, 'npx', 'nest', 'build', basename(project));
    mustPrint(run(project, process.execPath, `dist/apps/${basename(project)}/main`));
  },
};

/** A bundle of ES modules has no `require`, which amqplib, CommonJS, calls for Node's own modules. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Of CLI 12. */
const ways12 = {
  ...ofAll,
  vitest: (project) => run(project, 'npx', 'vitest', 'run'),
  'rspack builder': (project) => builtAndRun(project, '-b', 'rspack'),
  '@swc-node/register': (project) => {
    const loader = ['--import', '@swc-node/register/esm-register'];
    mustPrint(run(project, process.execPath, ...loader, 'src/main.ts'));
  },
  esbuild: (project) => bundledByEsbuild(project, 'esm', `--banner:js=${REQUIRE}`),
  'rspack, monorepo': (project) => {
    run(project, 'npx', 'nest', 'generate', 'app', 'second');
    run(project, 'npx', 'nest', 'build', basename(project), '-b', 'rspack');
    mustPrint(run(project, process.execPath, `dist/apps/${basename(project)}/main`));
  },
};

/** What of Nest 12 is ES modules, which Jest would leave as they are. */
const ES_MODULES = '@nestjs|file-type|strtok3|token-types|uint8array-extras|@tokenizer|@borewit';

/** Of CLI 12 in its form CommonJS. */
const ways12Cjs = {
  ...ofCommonJs,
  '@swc/jest': (project) => jestBySwc(project, { transformIgnorePatterns: [`/node_modules/(?!(${ES_MODULES})/)`] }),
  'rspack builder': (project) => builtAndRun(project, '-b', 'rspack'),
};

const SWC = ['@swc/cli', '@swc/core'];
const RSPACK = ['@rspack/core', 'webpack-node-externals', 'tsconfig-paths-webpack-plugin'];
const projects = [
  {
    name: 'CLI 11',
    major: 11,
    ways: ways11,
    testing: 'jest',
    extensions: false,
    more: [...SWC, '@swc/jest', 'esbuild'],
  },
  {
    name: 'CLI 12',
    major: 12,
    ways: ways12,
    testing: 'vitest',
    extensions: true,
    more: [...SWC, '@swc-node/register', ...RSPACK, 'esbuild'],
  },
  {
    name: 'CLI 12, CommonJS',
    major: 12,
    type: 'cjs',
    ways: ways12Cjs,
    testing: 'jest',
    extensions: false,
    more: [...SWC, '@swc/jest', ...RSPACK, 'esbuild'],
  },
  ...['pnpm', 'Yarn 1', 'Yarn 4, node-modules', 'Yarn 4, PnP'].flatMap((name) => [
    byManager(11, name),
    byManager(12, name),
  ]),
];

/** The project as it is generated, with another package manager. */
function byManager(major, name) {
  const manager = managers[name];
  // The CLI 12 is made of ES modules, which PnP does not find on Node 20 where CommonJS requires them.
  const compiler = name === 'Yarn 4, PnP' && major === 12 ? ['tsc', '-p', 'tsconfig.build.json'] : ['nest', 'build'];
  const ways = {
    [name]: (project) => {
      const npx = manager.exec ?? ['npx', '--no'];
      run(project, ...npx, ...compiler);
      mustPrint(run(project, ...(manager.exec ?? []), 'node', 'dist/main'));
      run(project, ...npx, ...(major === 11 ? ['jest'] : ['vitest', 'run']));
    },
  };
  return {
    name: `CLI ${major}`,
    major,
    manager,
    ways,
    testing: major === 11 ? 'jest' : 'vitest',
    extensions: major !== 11,
  };
}

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
  const tarball = join(base, filename);
  run(base, ...npmInstall, '--prefix', 'tools', 'pnpm@10', 'yarn@1', '@yarnpkg/cli-dist@4');
  for (const [at, { ways, ...kind }] of projects.entries()) {
    const wanted = Object.keys(ways).filter((way) => chosen.length === 0 || chosen.some((name) => way.includes(name)));
    if (wanted.length === 0) continue;
    let project;
    const isThere = attempt(`${kind.name}: nest new`, () => {
      project = generate(kind, `app-${at}`, tarball);
      fill(join(project, 'src'), kind);
    });
    if (isThere) for (const way of wanted) attempt(`${kind.name}: ${way}`, () => ways[way](project));
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
console.table(outcomes);
process.exit(outcomes.length > 0 && outcomes.every(({ outcome }) => outcome === 'works') ? 0 : 1);
