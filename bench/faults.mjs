// What each contender keeps when the bus breaks under it: `npm run bench -- --faults`. The bus is a RabbitMQ of its own,
// behind a proxy. Client and server work at a steady pace; a fault comes; what became of each call and cast is counted.
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { end, start } from './party.mjs';

const support = (file) => import(pathToFileURL(resolve('.cache/bench/test/support', file)).href);
const PACE = { ms: 25_000, everyMs: 50, waitMs: 50_000 };
const FAULT_AT_MS = 3_000;
/** Seconds that a call may take, where a contender knows such a thing: shorter than what is waited for. */
const TIMEOUT = 45;
export const faultContenders = ['nest', 'nest-rmq', 'golevelup', 'python-18'];
const requestQueues = { 'nest-rmq': 'bench_nest_rmq', golevelup: 'bench_golevelup_echo' };

const faults = {
  'connections closed by the broker': ({ rabbit }) => rabbit.admin.closeAllConnections('/'),
  'broker killed (-9) and started again': async ({ rabbit }) => {
    await rabbit.kill();
    await rabbit.start();
  },
  'broker restarted in order': ({ rabbit }) => rabbit.restart(),
  'request queue deleted, its consumer cancelled': ({ rabbit, name }) =>
    rabbit.admin.deleteQueue('/', requestQueues[name] ?? `bench_${name.replaceAll('-', '_')}`),
  'connections stalled, new ones work': ({ proxy }) => proxy.stallThoseOpen(),
};

/** Each fault once for each contender and round, on a broker that nobody has used. */
export async function bearFaults(names, rounds, isChosen) {
  const results = {};
  for (const [fault, strike] of Object.entries(faults).filter(([fault]) => isChosen(fault))) {
    results[fault] = {};
    for (const name of names) {
      const outcomes = [];
      for (let round = 0; round < rounds; round += 1) outcomes.push(await bear(name, strike));
      results[fault][name] = summed(outcomes);
    }
    console.log(`\n${fault}`);
    console.table(results[fault]);
  }
  return results;
}

async function bear(name, strike) {
  const [{ startRabbit }, { AmqpProxy }] = await Promise.all([support('rabbit-server.js'), support('amqp-proxy.js')]);
  const rabbit = await startRabbit();
  const proxy = await AmqpProxy.start(rabbit);
  const url = `rabbit://guest:guest@${proxy.host}:${proxy.port}/`;
  const party = await start(name, url, { OSLO_BENCH_TIMEOUT: String(TIMEOUT) });
  try {
    const working = party.client.ask('steady', PACE).catch(() => undefined);
    await pause(FAULT_AT_MS);
    await strike({ rabbit, proxy, name });
    const works = await working;
    const runs = await party.server.ask('ran').catch(() => undefined);
    return works && runs ? outcomeOf(works, runs) : { ended: works ? 'the server' : 'the client' };
  } finally {
    end(party);
    await proxy.close();
    await rabbit.dispose();
  }
}

function outcomeOf(works, runs) {
  const calls = works.filter(({ kind }) => kind === 'call');
  const casts = works.filter(({ kind }) => kind === 'cast');
  const count = (some, end) => some.filter((work) => work.end === end).length;
  const lastBad = calls.findLast(({ end }) => end !== 'done');
  return {
    ended: 'none',
    calls: calls.length,
    answered: count(calls, 'done'),
    'failed with an error': count(calls, 'failed'),
    hung: count(calls, 'hung'),
    'casts sent': count(casts, 'done'),
    'and lost': casts.filter(({ end, work }) => end === 'done' && !runs[work]).length,
    'casts refused': count(casts, 'failed'),
    'casts hung': count(casts, 'hung'),
    'ran twice': works.filter(({ work }) => runs[work] > 1).length,
    // Of the calls that were made after the last one that was not answered.
    'works again': lastBad === undefined || lastBad.atMs < PACE.ms - 2_000 ? 1 : 0,
    errors: [
      ...new Set(
        works.flatMap(({ error }) => (error ? [error.replaceAll(/[0-9a-f]{32}|\d+/g, '#').slice(0, 60)] : [])),
      ),
    ]
      .slice(0, 2)
      .join(' | '),
  };
}

function summed(outcomes) {
  const keys = [...new Set(outcomes.flatMap((outcome) => Object.keys(outcome)))];
  const values = (key) => outcomes.map((outcome) => outcome[key]).filter((value) => value !== undefined);
  const total = (key) =>
    ['errors', 'ended'].includes(key) ? values(key)[0] : values(key).reduce((sum, value) => sum + value, 0);
  return { rounds: outcomes.length, ...Object.fromEntries(keys.map((key) => [key, total(key)])) };
}
