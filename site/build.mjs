// Makes the site of README.md, docs/ and the docstrings of lib/, and follows its links. Arguments go to VitePress: `--base /name/`.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { install, installIn, root, run } from '../scripts/install.mjs';
import { checkLinks } from './links.mjs';
import { gatherPages } from './pages.mjs';

const out = join(root, '.cache/site/out');
const args = process.argv.slice(2);
const bin = (name) => join(root, 'site/node_modules/.bin', name);

function mustRun(program, ...rest) {
  if (!run(program, rest)) process.exit(1);
}

install();
if (!installIn(join(root, 'site'))) process.exit(1);
rmSync(out, { recursive: true, force: true });
gatherPages();
mustRun(bin('typedoc'), '--options', 'site/typedoc.config.mjs', '--logLevel', 'Warn');
mustRun(bin('vitepress'), 'build', 'site', ...args);

const base = args.includes('--base') ? args[args.indexOf('--base') + 1] : '/';
const { count, pages, dead } = checkLinks(out, base);
if (dead.length > 0) {
  console.error(`Dead links:\n${dead.map((link) => `  ${link}`).join('\n')}`);
  process.exit(1);
}
console.log(`${pages} pages, ${count} links, none of them dead: ${out}`);
