import type { Variant } from './variant.js';
import { nest } from './variants/nest.js';
import { nestRmq } from './variants/nest-rmq.js';
import { plain } from './variants/plain.js';
import { rawAmqplib } from './variants/raw-amqplib.js';

/** What the client program is told to do. */
export interface Round {
  calls: number;
  /** Calls under way at a time. */
  concurrency: number;
}

/** What it measured. */
export interface Measurement {
  callsPerSecond: number;
  cpuMicrosPerCall: number;
}

export const variants: Readonly<Record<string, Variant>> = { rawAmqplib, plain, nest, nestRmq };

const payload = { host: 'compute-17', flavor: { ram: 2048, vcpus: 2 }, names: ['a', 'b', 'é'] };

/** A child of the bench: `program.js server|client <variant> <url>`. */
async function main(role: string, name: string, url: string): Promise<void> {
  const variant = variants[name]!;
  if (role === 'server') {
    await variant.serve(url);
    process.send!('ready');
    return;
  }
  const caller = await variant.connect(url);
  process.on('message', (round: Round) => void measure(() => caller.echo(payload), round).then(report));
  process.send!('ready');
}

function report(measurement: Measurement): void {
  process.send!(measurement);
}

async function measure(echo: () => Promise<unknown>, { calls, concurrency }: Round): Promise<Measurement> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let left = calls;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await echo();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { callsPerSecond: calls / seconds, cpuMicrosPerCall: (user + system) / calls };
}

const [role, name, url] = process.argv.slice(2);
if (process.send && role && name && url) await main(role, name, url);
