import { MessagingTimeout, NotifierCore, OsloMessagingError, RpcClient } from '../../../lib/index.js';
import type { Work } from '../bench/journal.js';
import { observedBroker, openJournal, settings, takeCommands } from './program.js';

// Steady work for the servers, from several clients: what was sent when, and how it ended, is written down.
const given = settings();
const { name, url, options, timeout, pauseMs } = given;
const journal = openJournal(given);
const target = { exchange: 'nova', topic: 'work' };
const brokers = [1, 2].map((number) => observedBroker(url, options, `${name}/rpc${number}`, journal));
const [first, second] = brokers.map((broker) => new RpcClient(broker, target, { timeout })) as [RpcClient, RpcClient];
const durable = observedBroker(url, given.durable, `${name}/notify`, journal);
const notifier = new NotifierCore(durable, { exchange: 'events', publisherId: name });

interface Lane {
  name: string;
  work: Work;
  send(id: string): Promise<unknown>;
}

/** Long enough for some to be under way whenever something breaks. */
const handlerMs = (): number => Math.floor(Math.random() * 30);
const toServer = (server: string): RpcClient | ReturnType<RpcClient['prepare']> => second.prepare({ server });

const lanes: Lane[] = [
  { name: 'topic', work: 'call', send: (id) => first.call('work', { id, ms: handlerMs() }) },
  { name: 'topic2', work: 'call', send: (id) => second.call('work', { id, ms: 0 }) },
  { name: 'server a', work: 'call', send: (id) => toServer('a').call('work', { id, ms: handlerMs() }) },
  { name: 'server b', work: 'call', send: (id) => toServer('b').call('work', { id, ms: handlerMs() }) },
  { name: 'cast', work: 'cast', send: (id) => first.cast('work', { id, ms: 0 }) },
  { name: 'fanout', work: 'fanout', send: (id) => second.fanout('work', { id, ms: 0 }) },
  { name: 'notify', work: 'notification', send: (id) => notifier.info('fault.bench', { id }) },
];

const underWay = new Set<Promise<void>>();
let count = 0;
const run = `${process.pid}.${Math.floor(Math.random() * 1e6)}`;

function send({ name: lane, work, send: sendOne }: Lane): void {
  const id = `${run}.${count++}`;
  journal.write({ is: 'sent', id, work, lane });
  const ended = written(id, work, sendOne(id));
  underWay.add(ended);
  void ended.finally(() => underWay.delete(ended));
}

async function written(id: string, work: Work, sending: Promise<unknown>): Promise<void> {
  try {
    const value = await sending;
    const answer = value === id ? 'answered' : 'wrong';
    journal.write({ is: 'ended', id, outcome: work === 'call' ? answer : 'confirmed' });
  } catch (error) {
    const code = error instanceof OsloMessagingError ? error.code : 'FOREIGN';
    const text = error instanceof Error ? error.message : String(error);
    journal.write({ is: 'ended', id, outcome: 'failed', code, text, clear: isClear(error) });
  }
}

/** A timeout is, where it says why no server can have answered. */
function isClear(error: unknown): boolean {
  if (!(error instanceof MessagingTimeout)) return error instanceof OsloMessagingError;
  const { reason = 'unknown', confirmed = true } = error.diagnosis ?? {};
  return !confirmed && reason !== 'unknown';
}

let timers: NodeJS.Timeout[] = [];

function go(): void {
  timers = lanes.map((lane) => setInterval(() => send(lane), pauseMs));
}

/** Ends the sending, and waits until everything sent has ended. */
async function pause(): Promise<void> {
  for (const timer of timers) clearInterval(timer);
  await Promise.all(underWay);
}

async function leave(): Promise<void> {
  await pause();
  await Promise.all([first.close(), second.close(), notifier.close()]);
  await Promise.all([...brokers, durable].map((broker) => broker.close()));
}

takeCommands({
  go,
  pause,
  leave,
  replyQueues: () => [first.replyQueue, second.replyQueue],
  pending: () => first.pendingCalls + second.pendingCalls,
});
