// Counts the comments of lib/ that open with What, Who, Whether, Where or That: they make a reader look for their subject.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const mostShare = 0.03;
const opener = /^(What|Who|Whoever|Whether|Where|That)\b/;

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (path.endsWith('.ts')) yield path;
  }
}

/** Each comment with its line: blocks, and lines that stand together. */
function* comments(text) {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at].trim();
    if (line.startsWith('/**')) {
      const first =
        line.replace(/^\/\*\*\s*/, '').replace(/\*\/$/, '') || (lines[at + 1] ?? '').trim().replace(/^\*\s?/, '');
      yield { at: at + 1, words: first.trim() };
    } else if (line.startsWith('//') && !(lines[at - 1] ?? '').trim().startsWith('//')) {
      yield { at: at + 1, words: line.replace(/^\/\/\s*/, '') };
    }
  }
}

let count = 0;
const found = [];
for (const path of sources('lib')) {
  for (const { at, words } of comments(readFileSync(path, 'utf8'))) {
    count += 1;
    if (opener.test(words)) found.push(`${path}:${at}: ${words}`);
  }
}
const share = found.length / count;
if (process.argv.includes('--list')) console.log(found.join('\n'));
console.log(
  `${found.length} of ${count} comments (${(share * 100).toFixed(1)} %) open with What, Who, Whether, Where or That`,
);
if (share > mostShare) {
  console.log(`More than ${mostShare * 100} %: node scripts/comment-openers.mjs --list shows them.`);
  process.exitCode = 1;
}
