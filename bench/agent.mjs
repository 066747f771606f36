// One side of a contender in a process of its own: `agent.mjs server|client CONTENDER URL`. Commands come as lines of
// JSON, and so do their results; bench/contenders/oslo.py does the same.
import { createInterface } from 'node:readline';
import { Session } from 'node:inspector/promises';
import { contenders } from './contenders.mjs';
import { ran } from './contenders/work.mjs';
import { steady } from './steady.mjs';
import * as cost from './cost.mjs';

const [role, name, url] = process.argv.slice(2);
const contender = await contenders[name].load();
const side = role === 'server' ? await contender.serve(url) : await contender.connect(url);

const payloads = new Map();
function payloadOf(bytes) {
  if (!payloads.has(bytes)) payloads.set(bytes, { data: 'x'.repeat(bytes) });
  return payloads.get(bytes);
}

/** Goes on for `ms` milliseconds, or until `count` are done, with so many under way at a time. */
async function loop(one, { ms = Infinity, count = Infinity, inFlight }) {
  const latencies = [];
  const begin = performance.now();
  let left = count;
  const worker = async () => {
    while (left-- > 0 && performance.now() - begin < ms) {
      const since = performance.now();
      await one();
      if (latencies.length < 200_000) latencies.push(performance.now() - since);
      done += 1;
    }
  };
  let done = 0;
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - begin) / 1_000;
  latencies.sort((a, b) => a - b);
  return { done, seconds, p50: latencies[latencies.length >> 1], p99: latencies[Math.floor(latencies.length * 0.99)] };
}

/** All at once, to a server that answers when it is told to. */
async function pending({ count }) {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const begin = performance.now();
  const calls = [];
  const payload = payloadOf(10);
  for (let n = 0; n < count; n += 1) {
    calls.push(side.hold(payload));
    if (n % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
  }
  const issuedMs = performance.now() - begin;
  await side.held(count);
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  const released = performance.now();
  side.release();
  await Promise.all(calls);
  return { done: count, issuedMs, bytes, answeredMs: performance.now() - released };
}

let profiler;
const operations = {
  call: ({ bytes, ...rest }) => loop(() => side.call(payloadOf(bytes)), rest),
  cast: ({ bytes, ...rest }) => loop(() => side.cast(payloadOf(bytes)), rest),
  notify: ({ bytes, ...rest }) => loop(() => side.notify(payloadOf(bytes)), rest),
  fanout: ({ bytes, ...rest }) => loop(() => side.fanout(payloadOf(bytes)), rest),
  listen: ({ count }) => side.listen(count),
  steady: (work) => steady(side, work),
  ran,
  pending,
  heap() {
    globalThis.gc?.();
    return { heap: process.memoryUsage().heapUsed };
  },
  async profile() {
    profiler = new Session();
    profiler.connect();
    await profiler.post('Profiler.enable');
    await profiler.post('Profiler.setSamplingInterval', { interval: 200 });
    await profiler.post('Profiler.start');
    return {};
  },
  async profiled() {
    const { profile } = await profiler.post('Profiler.stop');
    profiler.disconnect();
    return profile;
  },
  costs: () => cost.begin(),
  costed: () => cost.end(),
};
if (process.env.OSLO_BENCH_COST) cost.watch();

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
tell({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { operation, ...rest } = JSON.parse(line);
  try {
    tell({ result: await operations[operation](rest) });
  } catch (error) {
    tell({ error: error.stack });
  }
}
process.exit(0);
