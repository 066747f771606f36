// Records what docs/tools.md shows of each command: `npm run recordings`, after `npm run setup` and `npm run build`. The
// broker is of their own, with services in Python.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './install.mjs';
import { fenced, filled } from './recording/page.mjs';
import { scenes } from './recording/scenes.mjs';
import { openStage } from './recording/stage.mjs';

const LONGEST_MS = 180_000;
const page = join(root, 'docs/tools.md');

async function play(stage, { name, before, lines, once, during, shows = [] }) {
  await before?.(stage);
  const beside = [];
  await stage.record(name, lines, (output) => {
    if (once !== undefined && beside.length === 0 && output.includes(once)) beside.push(during(stage));
  });
  if (once !== undefined && beside.length === 0) throw new Error(`${name} has never shown '${once}'`);
  await Promise.all(beside);
  const shown = stage.recorded.get(name).join('\n');
  for (const words of shows) if (!shown.includes(words)) throw new Error(`${name} has not shown '${words}'`);
}

if (!run('node_modules/.bin/tsc', ['-p', 'tsconfig.bench.json'])) process.exit(1);
const timer = setTimeout(() => {
  console.error(`The recordings took longer than ${LONGEST_MS / 1_000} s`);
  process.exit(1);
}, LONGEST_MS);
const stage = await openStage();
try {
  for (const scene of scenes) await play(stage, scene);
  const { rabbitmq, oslo } = await stage.versions();
  const contents = new Map([...stage.recorded].map(([name, lines]) => [name, fenced(lines)]));
  contents.set(
    'versions-used',
    `Recorded with RabbitMQ ${rabbitmq} and services in Python with oslo.messaging ${oslo}.`,
  );
  writeFileSync(page, filled(readFileSync(page, 'utf8'), contents));
} finally {
  clearTimeout(timer);
  await stage.dispose();
}
