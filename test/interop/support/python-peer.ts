import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { lateBound } from '../../support/late-bound.js';
import { fromPython, toPython } from './python-values.js';

/** The oslo.messaging releases to test with, for `describe.each`. */
export const pythonVersions: readonly string[] = [
  '18.3.1',
  '14.0.3',
  ...(process.env['OSLO_TEST_LATEST'] === '1' ? ['latest'] : []),
];

/** The oldest release that works with the Python of the tests: it pauses for a second after each message that it is sent. */
export const oldestPythonVersion = '1.7.0';

/** For the one matrix of all ages; the other specs would take too long with the oldest. */
export const allPythonVersions: readonly string[] = [...pythonVersions, oldestPythonVersion];

const PROGRAM = resolve('test/interop/python/peer.py');
const CLOSE_WITHIN_MS = 15_000;

/** `oslo_messaging.Target`. */
export interface PythonTarget {
  exchange?: string;
  topic?: string;
  namespace?: string | null;
  version?: string | null;
  server?: string | null;
  fanout?: boolean | null;
  legacy_namespaces?: string[];
}

/** Arguments of `RPCClient`; `at_least_once` becomes its `TransportOptions`. */
export interface PythonClientOptions {
  timeout?: number | null;
  version_cap?: string | null;
  retry?: number | null;
  call_monitor_timeout?: number | null;
  at_least_once?: boolean;
}

export interface PythonCallOptions {
  target: PythonTarget;
  client?: PythonClientOptions;
  /** Arguments of `RPCClient.prepare`. */
  prepare?: PythonTarget & PythonClientOptions;
  context?: Record<string, unknown>;
  allowed_remote_exmods?: string[];
}

export interface PythonServeOptions {
  name: string;
  target: PythonTarget & { topic: string; server: string };
  /** @defaultValue ['plain'] */
  offered?: ('base' | 'base-two' | 'plain' | 'renamed')[];
  /** @defaultValue Python's default: deny a leading underscore */
  access_policy?: 'explicit' | 'legacy';
  pool_size?: number;
}

export interface PythonNotification {
  priority: 'audit' | 'critical' | 'debug' | 'error' | 'info' | 'sample' | 'warn' | 'warning';
  event_type: string;
  payload: unknown;
  context?: Record<string, unknown>;
  publisher_id?: string;
  driver?: string;
  topics?: string[];
  retry?: number;
}

export interface PythonListenOptions {
  name: string;
  targets: PythonTarget[];
  priorities?: string[];
  pool?: string;
  allow_requeue?: boolean;
  /** What the endpoint does with the first notifications; then `handled`. */
  answers?: ('handled' | 'raise' | 'requeue')[];
  /** Arguments of `NotificationFilter`. */
  rule?: Record<string, unknown>;
  batch_size?: number;
  batch_timeout?: number;
}

/** An exception as Python code that called us (or another Python) caught it. */
export interface PythonException {
  class: string;
  module: string;
  /** Qualified names, the class itself first. */
  mro: string[];
  str: string;
  args: unknown[];
  kwargs?: Record<string, unknown>;
  /** Of a `RemoteError`. */
  exc_type?: string;
  value?: unknown;
  traceback?: unknown;
}

/** What an endpoint of the peer was asked. */
export interface PythonRequest {
  event: 'request';
  server: string;
  endpoint: string;
  method: string;
  context: Record<string, unknown>;
  args: Record<string, unknown>;
}

/** What a listener of the peer was told. */
export interface PythonNotified {
  event: 'notification';
  listener: string;
  priority: string;
  context: Record<string, unknown>;
  publisherId: string;
  eventType: string;
  payload: unknown;
  metadata: { message_id: string; timestamp: string };
}

export interface PythonBatch {
  event: 'batch';
  listener: string;
  priority: string;
  notifications: Record<string, unknown>[];
}

type PythonEvent = PythonBatch | PythonNotified | PythonRequest | { event: 'ready' };
type PythonEventOf<E extends PythonEvent['event']> = Extract<PythonEvent, { event: E }>;
interface PythonAnswer {
  id: number;
  ok?: unknown;
  error?: PythonException;
}

export interface PythonPeerOptions {
  version: string;
  url: string;
  /** oslo.config: `{ oslo_messaging_rabbit: { rabbit_quorum_queue: true } }`. */
  conf?: Record<string, Record<string, boolean | number | string>>;
}

/** A command that failed in Python. */
export class PythonError extends Error {
  override readonly name = 'PythonError';
  constructor(readonly exception: PythonException) {
    super(`${exception.module}.${exception.class}: ${exception.str}`);
  }
}

/** A Python process with real oslo.messaging: server, client, notifier and listener at once. */
export class PythonPeer {
  /** Everything that arrived from the bus. */
  readonly events: PythonEvent[] = [];
  private readonly pending = new Map<number, (answer: PythonAnswer | Error) => void>();
  private lastId = 0;
  private stderr = '';
  private closed = false;

  private constructor(
    readonly version: string,
    private readonly process: ChildProcessWithoutNullStreams,
  ) {
    createInterface({ input: process.stdout }).on('line', (line) => this.told(line));
    process.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.stderr = (this.stderr + text).slice(-20_000)));
    process.stdin.on('error', () => undefined);
    process.once('exit', (code, signal) => this.ended(`ended with ${signal ?? code}`));
    process.once('error', (error) => this.ended(error.message));
  }

  static async start({ version, url, conf = {} }: PythonPeerOptions): Promise<PythonPeer> {
    const interpreter = resolve('.cache/venv', version, 'bin/python');
    if (!existsSync(interpreter)) throw new Error(`no oslo.messaging ${version}: run \`npm run setup\``);
    const child = spawn(interpreter, ['-W', 'ignore', '-u', PROGRAM, JSON.stringify({ url, conf })], {
      // The queue manager keeps its lock there, and reads of the first process of its group, which has to live.
      detached: true,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', OSLO_LOCK_PATH: tmpdir() },
    });
    const peer = new PythonPeer(version, child);
    try {
      await peer.waitFor('ready', () => true, 90_000);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`oslo.messaging ${version} did not start: ${peer.stderr}`, { cause: error });
    }
    return peer;
  }

  /** What the process wrote to its standard error, for a failing test's message. */
  get log(): string {
    return this.stderr;
  }

  serve(options: PythonServeOptions): Promise<unknown> {
    return this.command('serve', { ...options });
  }

  listen(options: PythonListenOptions): Promise<unknown> {
    return this.command('listen', { ...options });
  }

  /** Ends a server or listener, by its name. */
  stop(name: string): Promise<unknown> {
    return this.command('stop', { name });
  }

  /** @throws PythonError what the Python caller got */
  call(method: string, args: Record<string, unknown>, options: PythonCallOptions): Promise<unknown> {
    return this.command('call', { method, args, ...options });
  }

  /** The exception that a call raises. */
  async failure(method: string, args: Record<string, unknown>, options: PythonCallOptions): Promise<PythonException> {
    const outcome = await this.call(method, args, options).catch((error: unknown) => error);
    if (outcome instanceof PythonError) return outcome.exception;
    throw outcome instanceof Error ? outcome : new Error(`${method} did not fail: ${JSON.stringify(outcome)}`);
  }

  cast(method: string, args: Record<string, unknown>, options: PythonCallOptions): Promise<unknown> {
    return this.command('cast', { method, args, ...options });
  }

  fanout(method: string, args: Record<string, unknown>, options: PythonCallOptions): Promise<unknown> {
    return this.command('fanout', { method, args, ...options });
  }

  async canSendVersion(version: string, options: PythonCallOptions): Promise<boolean> {
    return (await this.command('can_send_version', { version, ...options })) as boolean;
  }

  notify(notification: PythonNotification): Promise<unknown> {
    return this.command('notify', { ...notification });
  }

  /** What a listener was told so far. */
  notifications(listener: string): PythonNotified[] {
    return this.eventsOf('notification').filter((notified) => notified.listener === listener);
  }

  /** What the endpoints of one server, or all, were asked so far. */
  requests(server?: string): PythonRequest[] {
    return this.eventsOf('request').filter((request) => server === undefined || request.server === server);
  }

  /** The first event, past or to come, that fits. */
  waitFor<E extends PythonEvent['event']>(
    event: E,
    when: (event: PythonEventOf<E>) => boolean = () => true,
    withinMs = 10_000,
  ): Promise<PythonEventOf<E>> {
    return eventually(
      () => {
        if (this.closed) throw new Error(`the Python peer is closed: ${this.stderr}`);
        return this.eventsOf(event).find((each) => when(each));
      },
      `a ${event} in Python`,
      withinMs,
    );
  }

  /** As a crash: no goodbye to the broker. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  /** Stops its servers, closes its connections, ends the process. Safe to call twice. */
  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = new Promise<void>((settle) => this.process.once('exit', () => settle()));
    const late = setTimeout(() => this.kill(), CLOSE_WITHIN_MS);
    await this.command('close').catch(() => undefined);
    this.process.stdin.end();
    await exited;
    clearTimeout(late);
  }

  private eventsOf<E extends PythonEvent['event']>(kind: E): PythonEventOf<E>[] {
    return this.events.filter((event): event is PythonEventOf<E> => event.event === kind);
  }

  private async command(command: string, parameters: Record<string, unknown> = {}): Promise<unknown> {
    if (this.closed) throw new Error(`the Python peer is closed: ${this.stderr}`);
    const id = ++this.lastId;
    const answer = await new Promise<PythonAnswer | Error>((settle) => {
      this.pending.set(id, settle);
      this.process.stdin.write(`${JSON.stringify({ id, command, ...(toPython(parameters) as object) })}\n`);
    });
    if (answer instanceof Error) throw answer;
    if (answer.error) throw new PythonError(answer.error);
    return answer.ok;
  }

  private told(line: string): void {
    const message = fromPython(JSON.parse(line)) as PythonAnswer | PythonEvent;
    if ('event' in message) {
      this.events.push(message);
      return;
    }
    this.pending.get(message.id)?.(message);
    this.pending.delete(message.id);
  }

  private ended(why: string): void {
    this.closed = true;
    for (const settle of this.pending.values()) settle(new Error(`the Python peer ${why}: ${this.stderr}`));
    this.pending.clear();
  }
}

/** A peer for the tests of this `describe`; `url` is asked when the hook runs. */
export function usePythonPeer(options: {
  version: string;
  url: () => string;
  conf?: PythonPeerOptions['conf'];
}): PythonPeer {
  let peer: PythonPeer | undefined;
  beforeAll(async () => {
    peer = await PythonPeer.start({ ...options, url: options.url() });
  });
  afterAll(() => peer?.close());
  return lateBound(() => peer, 'the Python peer');
}
