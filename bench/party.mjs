// The two processes of a contender, and what the system says of them.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contenders } from './contenders.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '..');
/** Of /proc/PID/stat: so many a second. */
const ticks = 100;

/** Seconds of CPU that a process has had; 0 when it is gone. */
export function cpuOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  } catch {
    return 0;
  }
}

/** MiB of memory that a process has. */
export function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}

/** A process that takes commands and tells results, one line each. */
class Side {
  constructor(role, name, url, topic, environment) {
    const { python } = contenders[name];
    const [program, ...args] = python
      ? [join(root, '.cache/venv', python, 'bin/python'), '-W', 'ignore', join(folder, 'contenders/oslo.py'), role, url]
      : [process.execPath, '--expose-gc', join(folder, 'agent.mjs'), role, name, url];
    this.began = performance.now();
    const env = { ...process.env, OSLO_BENCH_TOPIC: topic, NO_COLOR: '1', ...environment };
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.child.pid;
  }

  async told() {
    let value;
    // Whoever logs to the standard output is not meant.
    do ({ value } = await this.lines.next());
    while (value !== undefined && !value.startsWith('{'));
    if (value === undefined) throw new Error(`${this.child.spawnargs.join(' ')} ended`);
    const message = JSON.parse(value);
    if (message.error) throw new Error(message.error);
    return message.result;
  }

  ask(operation, rest = {}) {
    this.child.stdin.write(`${JSON.stringify({ operation, ...rest })}\n`);
    return this.told();
  }

  end() {
    this.child.kill('SIGKILL');
  }
}

/** A client and a server, ready. */
export async function start(name, url, environment) {
  const { client = name, server = name } = contenders[name];
  const topic = `bench_${name.replaceAll(/\W/g, '_')}`;
  const party = { name, server: new Side('server', server, url, topic, environment) };
  try {
    await party.server.told();
    party.client = new Side('client', client, url, topic, environment);
    await party.client.told();
    return party;
  } catch (error) {
    end(party);
    throw error;
  }
}

export function end({ client, server }) {
  client?.end();
  server?.end();
}

/** Milliseconds from the start of the server to its first answer to a client that was there before, and its idle memory. */
export async function startUp(name, url) {
  const party = await start(name, url);
  const call = { bytes: 100, count: 1, inFlight: 1 };
  await party.client.ask('call', call);
  party.server.end();
  const { server = name } = contenders[name];
  const again = new Side('server', server, url, `bench_${name.replaceAll(/\W/g, '_')}`);
  party.server = again;
  await again.told();
  await party.client.ask('call', call);
  const ms = performance.now() - again.began;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const result = { ms, memory: memoryOf(again.pid) };
  end(party);
  return result;
}
