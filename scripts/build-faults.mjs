// Compiles what the fault bench runs as processes of its own into .cache/faults, file by file: types are checked elsewhere.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { root } from './install.mjs';

const target = join(root, '.cache/faults');
const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(
  ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config.compilerOptions,
  root,
);

function sources(directory) {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts') ? [path] : [];
  });
}

function isFresh(source, result) {
  const made = statSync(result, { throwIfNoEntry: false });
  return made !== undefined && made.mtimeMs > statSync(source).mtimeMs;
}

for (const path of ['lib', 'test/support', 'test/faults', 'test/interop/support'].flatMap(sources)) {
  const source = join(root, path);
  const result = join(target, path.replace(/\.ts$/, '.js'));
  if (isFresh(source, result)) continue;
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
    fileName: source,
    compilerOptions: {
      ...compilerOptions,
      module: ts.ModuleKind.ESNext,
      noEmit: false,
      sourceMap: false,
      inlineSourceMap: true,
      declaration: false,
    },
  });
  mkdirSync(dirname(result), { recursive: true });
  writeFileSync(result, outputText);
}
