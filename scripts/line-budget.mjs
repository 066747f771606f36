// The lines of each folder of lib/, in docs/architecture.md: `--write` brings the table up to date, else it is checked.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const page = 'docs/architecture.md';
const begin = '<!-- line budget: node scripts/line-budget.mjs --write -->\n';
const end = '<!-- end of the line budget -->';
/** As many files are a room; lists of errors and options may be longer. */
const mostFiles = 22;
/** So many are counted with the folder above. */
const fewFiles = 4;
/** A smaller file needs two importers: it stands in the file that uses it otherwise. */
const leastLines = 25;

const files = readdirSync('lib', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name));
const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
const linesOf = (file) => texts.get(file).split('\n').length - 1;

const folders = new Map();
for (const file of files) {
  const folder = relative('.', join(file, '..'));
  const { count, lines } = folders.get(folder) ?? { count: 0, lines: 0 };
  folders.set(folder, { count: count + 1, lines: lines + linesOf(file) });
}
// A row for each corner of a room says nothing.
for (const [folder, { count, lines }] of folders) {
  const room = join(folder, '..');
  const above = room === 'lib' ? undefined : folders.get(room);
  const isCorner = count <= fewFiles && ![...folders.keys()].some((other) => other.startsWith(`${folder}/`));
  if (!isCorner || !above) continue;
  folders.delete(folder);
  above.count += count;
  above.lines += lines;
}
const rows = [...folders].toSorted().map(([folder, { count, lines }]) => `| \`${folder}\` | ${count} | ${lines} |`);
const total = files.reduce((sum, file) => sum + linesOf(file), 0);
const table = [
  '| folder | files | lines |',
  '| --- | ---: | ---: |',
  ...rows,
  `| all | ${files.length} | ${total} |`,
].join('\n');

const problems = [];
for (const [folder, { count }] of folders) if (count > mostFiles) problems.push(`${folder} has ${count} files`);
for (const file of files) {
  if (linesOf(file) >= leastLines || /[.](decorator|factory|driver)[.]ts$|(index|core)\.ts$/.test(file)) continue;
  const name = file.replace(/^.*\//, '').replace(/\.ts$/, '.js');
  const importers = [...texts].filter(
    ([other, text]) => other !== file && text.includes(`/${name}'`) && !/(index|core)\.ts$/.test(other),
  );
  if (importers.length < 2) problems.push(`${file} has ${linesOf(file)} lines and ${importers.length} importer`);
}

const text = readFileSync(page, 'utf8');
const [before, rest] = text.split(begin);
const after = rest.slice(rest.indexOf(end));
const wanted = `${before}${begin}\n${table}\n\n${after}`;
if (process.argv.includes('--write')) writeFileSync(page, wanted);
else if (text.replaceAll(/[ :-]/g, '') !== wanted.replaceAll(/[ :-]/g, '')) problems.push(`${page} is out of date`);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
