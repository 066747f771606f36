// Makes few files of the many in dist: loading 250 modules took longer than all the rest of a service's start. Types stay
// as they are, one file each; so does the code in it, which is not minified.
import { readdirSync, rmSync } from 'node:fs';
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

const before = unbundled();
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
console.log(`Bundled: ${[...written].map((file) => relative(dist, file)).join(', ')}`);
