// Makes few files of the many in dist: loading 250 modules took longer than all the rest of a service's start.
//
// The code is there once, as CommonJS: whatever loads it, `import`, `require`, a test runner, gets the same classes and the
// same injection tokens. For `import` a door names what it exports. It loads the packages first: Node refuses to `require` a module
// that an import has found and not run yet, and says best of an import that a package is missing. Types are there once, too, in few files: small ones pack badly.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { minify } from 'rolldown/experimental';
import { dts } from 'rolldown-plugin-dts';
import { root } from './install.mjs';

const dist = join(root, 'dist');
const COMMAND_LINE = 'oslo-bus';
const doors = ['index', 'core', 'testing/index', 'observe/tracing', 'observe/metrics'];
const files = readdirSync(dist, { recursive: true }).map((file) => join(dist, file));

/** The version that the command line prints. */
const versioned = ({ version }) => ({ define: { OSLO_BUS_VERSION: JSON.stringify(version) } });

async function bundle(manifest) {
  const input = Object.fromEntries(doors.map((door) => [door, join(dist, `${door}.js`)]));
  // The command line of the package runs the code of the library, which is beside it.
  input[COMMAND_LINE] = join(dist, 'cli/main.js');
  const built = await rolldown({
    input,
    external: (id) => !/^[./]|^commander$/.test(id),
    platform: 'node',
    transform: versioned(manifest),
  });
  const { output } = await built.write({
    dir: dist,
    format: 'cjs',
    // Docstrings are read in the types.
    comments: false,
    entryFileNames: '[name].cjs',
    // One for what all doors share, so that its classes are the same behind each.
    chunkFileNames: 'shared/[name].cjs',
  });
  await built.close();
  await makeCommandSmall();
  return output;
}

/** Nobody reads its code. Names of functions and classes stay, for the stack of a fault. */
async function makeCommandSmall() {
  const file = join(dist, `${COMMAND_LINE}.cjs`);
  const keepNames = { function: true, class: true };
  const settings = {
    module: false,
    mangle: { keepNames },
    compress: { keepNames },
    codegen: { removeWhitespace: true },
  };
  const { code, errors } = await minify(file, readFileSync(file, 'utf8'), settings);
  if (errors.length > 0) throw new AggregateError(errors, `${file} cannot be minified`);
  writeFileSync(file, code);
  chmodSync(file, 0o755);
}

/** What a file of the bundle imports, by way of others, too. */
function importsOf(file, chunks) {
  const { imports } = chunks.get(file);
  return imports.flatMap((id) => (chunks.has(id) ? importsOf(id, chunks) : [id]));
}

function writeDoor(door, chunks) {
  const { exports } = chunks.get(`${door}.cjs`);
  const peers = [...new Set(importsOf(`${door}.cjs`, chunks))].filter((id) => !/^(node:|url$)/.test(id)).toSorted();
  const name = door.replace(/^.*\//, '');
  const lines = [
    ...peers.map((peer) => `import '${peer}';`),
    `import bundle from './${name}.import.cjs';`,
    'export const {',
    ...exports.toSorted().map((name) => `  ${name},`),
    '} = bundle;\n',
  ];
  writeFileSync(join(dist, `${door}.js`), lines.join('\n'));
  // Node searches a script that is imported for the names it exports: longer than it takes to load. Here it finds nothing to search.
  writeFileSync(
    join(dist, `${door}.import.cjs`),
    `const bundle = require('./${name}.cjs');\nmodule.exports = bundle;\n`,
  );
  // TypeScript reads the types of a script in a file of its own.
  writeFileSync(join(dist, `${door}.d.cts`), `export * from './${name}.js';\n`);
}

/** One file of types for each door, and for what several share: a type is the same behind each. */
async function bundleTypes() {
  const input = Object.fromEntries(doors.map((door) => [door, join(dist, `${door}.d.ts`)]));
  const built = await rolldown({
    input,
    external: (id) => !/^[./]/.test(id),
    plugins: [dts({ dtsInput: true })],
    checks: { bundlerTimings: false },
  });
  const { output } = await built.generate({ entryFileNames: '[name].ts', chunkFileNames: 'shared/[name].ts' });
  await built.close();
  return output;
}

/**
 * The command line in one file, with all that it needs: it is copied to hosts that have Node and nothing else. It is a
 * package of its own: nobody who wants a tool installs Nest with it, and nobody who wants the library loads its code twice.
 */
async function bundleCommandLine({ version, license, engines }) {
  const bundled = await rolldown({
    input: join(dist, 'cli/main.js'),
    // Optional peers stay where they are, as for the library.
    external: (id) => /^(node:|@platformatic\/kafka|seek-bzip)/.test(id),
    platform: 'node',
    transform: versioned({ version }),
  });
  const file = join(dist, 'oslo-bus.mjs');
  await bundled.write({ file, codeSplitting: false, minify: true, keepNames: true });
  await bundled.close();
  chmodSync(file, 0o755);
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

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const commandLine = await bundleCommandLine(manifest);
const output = await bundle(manifest);
const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
const types = await bundleTypes();
for (const file of files) if (/\.js(\.map)?$|\.d\.ts$/.test(file)) rmSync(file);
for (const { fileName, code } of types) {
  mkdirSync(join(dist, dirname(fileName)), { recursive: true });
  writeFileSync(join(dist, fileName), code);
}
for (const door of doors) writeDoor(door, chunks);
console.log(`Bundled: ${[relative(dist, commandLine), ...chunks.keys()].join(', ')}`);
