// Records docs/pictures/recording.svg: real programs on a RabbitMQ of their own. `node scripts/record-terminal.mjs`,
// after `npm run setup` and `npm run build`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { root, run } from './install.mjs';
import { animated } from './recording/animated.mjs';

const file = join(root, 'docs/pictures/recording.svg');
if (!run('node_modules/.bin/tsc', ['-p', 'tsconfig.bench.json'])) process.exit(1);
const support = pathToFileURL(join(root, '.cache/bench/test/support/rabbit-server.js')).href;
const { startRabbit } = await import(support);

const lines = [];
const began = performance.now();
function show(who, text) {
  lines.push({ atMs: performance.now() - began, who, text });
  console.log(`${who}: ${text}`);
}

/** A program as it would be typed, and what it prints. */
function start(who, shown, program, args) {
  show('prompt', shown);
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PYTHONWARNINGS: 'ignore' },
  });
  createInterface({ input: child.stdout }).on('line', (line) => show(who, line));
  return child;
}

async function shown(text) {
  while (!lines.some((line) => line.text.includes(text))) await pause(20);
}

const own = (name) => join('scripts/recording', name);
const rabbit = await startRabbit();
try {
  const service = start('nest', 'node service.mjs &', process.execPath, [own('service.mjs'), rabbit.url]);
  await shown('serving');
  const python = start('python', 'python client.py &', join(root, '.cache/venv/18.3.1/bin/python'), [
    own('client.py'),
    rabbit.url,
  ]);
  await shown('resizing');
  await pause(1_000);
  show('comment', '# kill -9 to the broker, while the call is being worked on');
  await rabbit.kill();
  await shown('is resized');
  await pause(1_000);
  show('comment', '# the broker is started again');
  const [, [code]] = await Promise.all([rabbit.start(), once(python, 'exit')]);
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  show('comment', '# now the service is stopped, and somebody calls it');
  service.kill('SIGTERM');
  await once(service, 'exit');
  const late = start('nest', 'node client.mjs', process.execPath, [own('client.mjs'), rabbit.url]);
  await once(late, 'close');
} finally {
  await rabbit.dispose();
}
const title =
  'Python calls Nest, the broker is killed and comes back, the call is answered; then a timeout explains itself';
writeFileSync(file, animated(lines, title));
