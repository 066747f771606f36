// Gathers the Markdown of the repository as the site's pages: links lead to pages, whatever file they name.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, posix } from 'node:path';
import { root } from '../scripts/install.mjs';
import { firstPage, headingOf, samples, titleOf } from './contents.mjs';

export const pages = join(root, '.cache/site/pages');

const read = (file) => readFileSync(join(root, file), 'utf8');

function write(page, text) {
  const file = join(pages, page);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

// ---- links ------------------------------------------------------------------------------------

/** Where a file of the repository stands on the site; files that are no pages are copied as they are. */
function placeOf(file) {
  if (file === 'README.md') return 'index.md';
  if (/^[A-Z]+\.md$/.test(file)) return file.toLowerCase();
  const sample = /^sample\/?([\w-]*)/.exec(file);
  if (sample) return sample[1] ? `samples/${sample[1]}.md` : 'samples/index.md';
  if (file.startsWith('docs/')) return file.slice('docs/'.length);
  return copied(file);
}

function copied(file) {
  if (!existsSync(join(root, file))) throw new Error(`there is no ${file}`);
  if (statSync(join(root, file)).isDirectory()) throw new Error(`${file} is a folder, and no page shows it`);
  write(`public/files/${file}.txt`, read(file));
  return `/files/${file}.txt`;
}

function movedLink(link, file, page) {
  if (/^(\w+:|#|\/)/.test(link)) return link;
  const [path, anchor] = link.split('#');
  const place = placeOf(posix.normalize(posix.join(posix.dirname(file), path)));
  const from = place.startsWith('/') ? place : posix.relative(posix.dirname(page), place);
  return `${/^[./]/.test(from) ? from : `./${from}`}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** Markdown's links and those of HTML in it, outside of code. */
function moved(text, file, page) {
  let isCode = false;
  const lines = text.split('\n').map((line) => {
    if (line.startsWith('```')) isCode = !isCode;
    if (isCode || line.startsWith('    ')) return line;
    return line
      .replace(/\[(?:docs\/)?([\w-]+)\.md\]/g, (text, name) => (titleOf(name) ? `[${titleOf(name)}]` : text))
      .replace(/\]\(([^)\s]+)\)/g, (_, link) => `](${movedLink(link, file, page)})`)
      .replace(/\b(src|srcset|href)="([^"]+)"/g, (_, name, link) => `${name}="${movedLink(link, file, page)}"`);
  });
  return lines.join('\n');
}

function writeMoved(file, page, change = (text) => text) {
  write(page, change(moved(read(file), file, page)));
}

// ---- pages ------------------------------------------------------------------------------------

/** The README under a title of its own. */
function home(readme) {
  const { description } = JSON.parse(read('package.json'));
  const hero = {
    name: 'nestjs-oslo-messaging',
    text: 'Nest services on an OpenStack bus',
    tagline: description,
    actions: [
      { theme: 'brand', text: 'Start here', link: firstPage() },
      { theme: 'alt', text: 'RPC with Nest', link: '/nest' },
      { theme: 'alt', text: 'Notifications', link: '/notifications' },
      { theme: 'alt', text: 'API', link: '/api/' },
    ],
  };
  // Badges come from elsewhere, and say what the pages here say.
  const body = readme.replace(/^# .*\n/, '').replaceAll(/^\[?!\[.*img\.shields\.io.*\n/gm, '');
  return `---\nlayout: home\ntitle: nestjs-oslo-messaging\ntitleTemplate: false\nhero: ${JSON.stringify(hero)}\n---\n\n${body}`;
}

const LANGUAGES = { '.ts': 'ts', '.py': 'python', '.yaml': 'yaml', '.yml': 'yaml', '.json': 'json' };

/** A sample's README, followed by its files. */
function writeSample(name) {
  const folder = `sample/${name}`;
  const files = readdirSync(join(root, folder)).filter((file) => LANGUAGES[extname(file)]);
  const code = files.map(
    (file) => `## ${file}\n\n\`\`\`${LANGUAGES[extname(file)]}\n${read(`${folder}/${file}`)}\`\`\`\n`,
  );
  writeMoved(`${folder}/README.md`, `samples/${name}.md`, (text) => [text, ...code].join('\n'));
}

function writeSamples() {
  samples.forEach(writeSample);
  const list = samples.map((name) => `- [${headingOf(`sample/${name}/README.md`)}](./${name}.md)`).join('\n');
  const run = 'Each sample is a small program. `npm run sample -- <name>` runs it in a clone of the repository.';
  write('samples/index.md', `# Samples\n\n${run}\n\n${list}\n`);
}

/** Everything but the API reference. */
export function gatherPages() {
  rmSync(pages, { recursive: true, force: true });
  cpSync(join(root, 'docs'), pages, { recursive: true, filter: (path) => !/\.md$|docs\/api$/.test(path) });
  for (const file of readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))) {
    writeMoved(`docs/${file}`, file);
  }
  writeMoved('README.md', 'index.md', home);
  for (const file of ['CHANGELOG.md', 'CONTRIBUTING.md']) writeMoved(file, file.toLowerCase());
  writeSamples();
  mkdirSync(join(pages, 'public'), { recursive: true });
  // To be downloaded as it is.
  cpSync(join(root, 'docs/grafana'), join(pages, 'public/grafana'), { recursive: true });
  // Loaded by pages with a diagram only; bundled it would take most of the build.
  cpSync(join(root, 'site/node_modules/mermaid/dist/mermaid.min.js'), join(pages, 'public/mermaid.min.js'));
}
