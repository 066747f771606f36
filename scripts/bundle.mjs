// Makes few files of the many in dist: loading 250 modules took longer than all the rest of a service's start. Types stay
// as they are, one file each; so does the code in it, which is not minified.
import { chmodSync, mkdirSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './install.mjs';

const dist = join(root, 'dist');
const doors = {
  index: 'index.js',
  core: 'core.js',
  'testing/index': 'testing/index.js',
  'observe/tracing': 'observe/tracing.js',
  'observe/metrics': 'observe/metrics.js',
};

function unbundled() {
  const files = readdirSync(dist, { recursive: true }).filter((file) => /\.js(\.map)?$/.test(file));
  return files.map((file) => join(dist, file));
}

/** The command line in one file, with all that it needs: it is copied to hosts that have Node and nothing else. */
async function bundleCommandLine({ version, license, engines }) {
  const bundled = await rolldown({
    input: join(dist, 'cli/main.js'),
    // Optional peers stay where they are, as for the library.
    external: (id) => /^(node:|@platformatic\/kafka|seek-bzip)/.test(id),
    platform: 'node',
    transform: { define: { OSLO_BUS_VERSION: JSON.stringify(version) } },
  });
  const file = join(dist, 'oslo-bus.mjs');
  await bundled.write({ file, codeSplitting: false, minify: true, keepNames: true });
  await bundled.close();
  chmodSync(file, 0o755);
  // A package that holds only this file: nobody who wants a tool installs Nest with it.
  const alone = join(root, '.cache/oslo-bus');
  mkdirSync(alone, { recursive: true });
  copyFileSync(file, join(alone, 'oslo-bus.mjs'));
  copyFileSync(join(root, 'LICENSE'), join(alone, 'LICENSE'));
  const described = {
    name: 'oslo-bus',
    version,
    description: 'See and drive an oslo.messaging bus on RabbitMQ from the command line',
    license,
    type: 'module',
    bin: { 'oslo-bus': 'oslo-bus.mjs' },
    files: ['oslo-bus.mjs'],
    engines,
  };
  writeFileSync(join(alone, 'package.json'), `${JSON.stringify(described, null, 2)}\n`);
  return file;
}

const before = unbundled();
const commandLine = await bundleCommandLine(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
const input = Object.fromEntries(Object.entries(doors).map(([door, file]) => [door, join(dist, file)]));
const bundle = await rolldown({ input, external: (id) => !/^[./]/.test(id), platform: 'node' });
const { output } = await bundle.write({
  dir: dist,
  entryFileNames: '[name].js',
  // One for what all doors share, so that its classes are the same behind each.
  chunkFileNames: 'shared/[name].js',
});
await bundle.close();
const written = new Set(output.map(({ fileName }) => join(dist, fileName)));
for (const file of before) if (!written.has(file)) rmSync(file);
// Nobody imports these: types of what is bundled, and of the command line's own packages.
rmSync(join(dist, 'cli'), { recursive: true, force: true });
console.log(`Bundled: ${[commandLine, ...written].map((file) => relative(dist, file)).join(', ')}`);
