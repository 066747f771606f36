import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { loadOsloConfig } from 'nestjs-oslo-messaging/core';
import ts from 'typescript';
import { expect, it } from 'vitest';

const SNIPPETS = resolve('.cache/docs');

/** Each snippet of a page as a file of its own, under the name that its first line may give it. */
function writeSnippets(page: string): string[] {
  const snippets = readFileSync(page, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  return [...snippets].map(([, code], index) => {
    const name = /^\/\/ (\S+\.ts)\n/.exec(code!)?.[1] ?? `${basename(page, '.md')}-${index + 1}.ts`;
    const file = join(SNIPPETS, name);
    writeFileSync(file, `${code}\nexport {};\n`);
    return file;
  });
}

it('every snippet of the README and the docs compiles as it stands', () => {
  rmSync(SNIPPETS, { recursive: true, force: true });
  mkdirSync(SNIPPETS, { recursive: true });
  const files = readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name))
    .concat('README.md')
    .flatMap(writeSnippets);
  const config = ts.getParsedCommandLineOfConfigFile(
    'tsconfig.json',
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => undefined,
    },
  )!;
  // Not our own way, but that of some projects in which they are to compile.
  const options = { ...config.options, noEmit: true, exactOptionalPropertyTypes: true };
  const program = ts.createProgram(files, options);
  const problems = files.flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)));
  const texts = problems.map(
    ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
  expect(texts).toEqual([]);
  expect(files.length).toBeGreaterThanOrEqual(11);
});

it('every file that the docs name is there', () => {
  const names = readdirSync('docs').filter((name) => name.endsWith('.md'));
  const pages = names.map((name) => readFileSync(join('docs', name), 'utf8'));
  const levels = '(?:behaviour|broker|faults|interop|package|sample|simulation|unit)';
  const specs = pages.flatMap((page) => [...page.matchAll(new RegExp(`\`((?:test/)?${levels}/[\\w./-]+)\``, 'g'))]);
  const paths = specs.map(([, name]) => name!.replace(/^test\//, ''));
  // Pages for maintainers name folders of `lib` in the same way.
  const exists = (path: string): boolean =>
    ['test', 'lib'].some((root) => ['', '.ts', '.spec.ts'].some((end) => existsSync(join(root, `${path}${end}`))));
  expect(paths.filter((path) => !exists(path))).toEqual([]);
  expect(paths.length).toBeGreaterThan(80);
});

it('the nova.conf of the page on configuration is read as the page says', () => {
  const page = readFileSync('docs/configuration.md', 'utf8');
  const section = page.slice(page.indexOf('### Mapping a nova.conf'));
  const [file, code] = ['ini', 'ts'].map(
    (language) => new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(section)![1]!,
  );
  mkdirSync(SNIPPETS, { recursive: true });
  writeFileSync(join(SNIPPETS, 'nova.conf'), file!);
  const { transportUrl, timeout, executorThreadPoolSize, rabbit, notifications } = loadOsloConfig(
    join(SNIPPETS, 'nova.conf'),
  );
  expect(Object.keys(rabbit).length).toBeGreaterThan(4);
  // Each option of the file stands in the code with the same value.
  for (const [name, value] of Object.entries({ timeout, executorThreadPoolSize, ...rabbit })) {
    expect(code).toMatch(new RegExp(`\\b${name}: '?${typeof value === 'string' ? value : JSON.stringify(value)}\\b`));
  }
  expect(code).toContain(`'${transportUrl}'`);
  expect(code).toContain(`'${notifications.transportUrl}'`);
  expect(code).toContain(`driver: ['${notifications.driver.join()}']`);
  expect(code).toContain(`topics: ['${notifications.topics!.join()}']`);
});
