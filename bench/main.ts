import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startRabbit } from '../test/support/rabbit-server.js';
import { rabbitUrl } from '../test/support/rabbit-url.js';
import { variants, type Measurement, type Round } from './program.js';

const ROUNDS = 5;
const SEQUENTIAL: Round = { calls: 1_000, concurrency: 1 };
const CONCURRENT: Round = { calls: 10_000, concurrency: 64 };
/** Until the code of both ends has been compiled. */
const WARM_UPS: readonly Round[] = [CONCURRENT, { calls: 3_000, concurrency: 1 }];

interface Contender {
  name: string;
  server: ChildProcess;
  client: ChildProcess;
  sequential: Measurement[];
  concurrent: Measurement[];
}

async function start(role: string, name: string, url: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./program.js', import.meta.url)), [role, name, url]);
  await once(child, 'message');
  return child;
}

async function enter(name: string, url: string): Promise<Contender> {
  const server = await start('server', name, url);
  const client = await start('client', name, url);
  const contender = { name, server, client, sequential: [], concurrent: [] };
  for (const warmUp of WARM_UPS) await run(contender, warmUp);
  return contender;
}

async function run({ client }: Contender, round: Round): Promise<Measurement> {
  client.send(round);
  return ((await once(client, 'message')) as [Measurement])[0];
}

function median(measurements: readonly Measurement[], key: keyof Measurement): number {
  const sorted = measurements.map((measurement) => measurement[key]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** All contenders in turn, round after round, so that a busy moment of the machine hits them alike. */
async function compete(contenders: readonly Contender[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const contender of contenders) {
      contender.sequential.push(await run(contender, SEQUENTIAL));
      contender.concurrent.push(await run(contender, CONCURRENT));
    }
  }
}

function print(contenders: readonly Contender[]): void {
  const [raw] = contenders as [Contender];
  const rmq = contenders.at(-1)!;
  console.log(`Median of ${ROUNDS} rounds; ${CONCURRENT.concurrency} calls at a time, then one after the other.`);
  console.table(
    contenders.map(({ name, concurrent, sequential }) => ({
      variant: name,
      'calls/s': Math.round(median(concurrent, 'callsPerSecond')),
      'to raw amqplib': ratio(concurrent, raw.concurrent),
      'to Nest RMQ': ratio(concurrent, rmq.concurrent),
      'client µs CPU/call': Math.round(median(concurrent, 'cpuMicrosPerCall')),
      'sequential calls/s': Math.round(median(sequential, 'callsPerSecond')),
      'sequential to raw': ratio(sequential, raw.sequential),
      'sequential to RMQ': ratio(sequential, rmq.sequential),
    })),
  );
}

function ratio(ours: readonly Measurement[], theirs: readonly Measurement[]): string {
  return (median(ours, 'callsPerSecond') / median(theirs, 'callsPerSecond')).toFixed(2);
}

const ownUrl = process.env.OSLO_TEST_RABBIT_URL;
const rabbit = ownUrl ? undefined : await startRabbit();
const url = ownUrl ?? rabbitUrl(rabbit!, '/');
const contenders: Contender[] = [];
try {
  const chosen = process.argv.slice(2);
  for (const name of chosen.length > 0 ? chosen : Object.keys(variants)) contenders.push(await enter(name, url));
  await compete(contenders);
  print(contenders);
} finally {
  for (const { server, client } of contenders) {
    client.kill();
    server.kill();
  }
  await rabbit?.dispose();
}
