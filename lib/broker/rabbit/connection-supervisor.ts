import type { ChannelModel } from 'amqplib';
import type { EventChannel } from '../../events/event-channel.js';
import type { ConnectionPhase } from '../../events/messaging-event.js';
import { replyText } from './amqp-reply.js';
import type { ClosingRequests } from './closing-requests.js';
import { AttemptFailed, ConnectionAttempt } from './connection-attempt.js';
import { type ConnectionOpener, ConnectionRefused } from './connection-opener.js';
import type { ConnectionState } from './connection-state.js';
import { type BrokerHost, type HostRotation, hostLabel } from './host-rotation.js';
import { Line, type LineObserver } from './line.js';
import type { ReconnectPolicy } from './reconnect-policy.js';
import type { NamedDeclaration } from './topology-declarer.js';

/** What users of a supervised connection are told. */
export interface LineListener {
  lineUp?(line: Line): void;
  lineDown?(line: Line, error: Error): void;
  /** It takes messages (again). */
  lineOpened?(line: Line): void;
  attemptFailed?(failure: AttemptFailure): void;
}

export interface AttemptFailure {
  host: string;
  reason: string;
  error: unknown;
}

export interface SupervisorParts {
  opener: ConnectionOpener;
  hosts: HostRotation;
  policy: ReconnectPolicy;
  state: ConnectionState;
  livenessTimeoutMs: number;
  events: EventChannel;
  /** Known for longer than one connection lives. */
  closing?: ClosingRequests;
  /** Connects first: a broker that thousands come back to is asked for one connection by each, and for the other when that is there. */
  after?: { readonly line: Line | undefined };
}

/** Several lines in a row that lived shorter are as good as failed attempts. */
const stableAfterMs = 250;
const forgivenShortLines = 4;

/** Those of this process that try to connect again: the more they are, the more time each of them takes. */
const disconnected = new Set<ConnectionSupervisor>();

/** Keeps one connection up: connects, notices its loss, connects again; never two at a time. */
export class ConnectionSupervisor implements LineObserver {
  private readonly listeners = new Set<LineListener>();
  private current: Line | undefined;
  private started = false;
  private ended = false;
  private closing: Promise<void> | undefined;
  /** Rounds of all hosts, in a row, in which none could be reached. */
  private failures = 0;
  private shortLines = 0;
  /** How often each host has refused us since we were last connected; one that is only gone has forgotten us. */
  private readonly refusals = new Map<string, number>();
  private downSince: number | undefined;
  /** When the next attempt comes, or that it waits for the connection that comes first. */
  private retry: NodeJS.Timeout | 'comes after' | undefined;
  private attempt: ConnectionAttempt | undefined;
  private failure: AttemptFailure | undefined;

  constructor(private readonly parts: SupervisorParts) {}

  /** The connection, while there is one. */
  get line(): Line | undefined {
    return this.current;
  }

  get phase(): ConnectionPhase {
    return this.parts.state.phase;
  }

  get isStarted(): boolean {
    return this.started;
  }

  /** Why there is no connection, as far as it is known. */
  get lastFailure(): AttemptFailure | undefined {
    return this.failure;
  }

  /** Begins connecting, once. */
  start(): void {
    if (this.started || this.ended) return;
    this.started = true;
    this.attemptDue();
  }

  /** The broker was reached another way just now: there is nothing left to wait for, unless it ends each line of ours. */
  hurry(): void {
    if (this.ended || this.retry === undefined) return;
    if (this.retry !== 'comes after') {
      if (this.parts.policy.isPrescribed || this.shortLines > forgivenShortLines) return;
      clearTimeout(this.retry);
    }
    void this.connect();
  }

  listen(listener: LineListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  lineLost(line: Line, error: Error): void {
    if (this.current !== line) return;
    this.current = undefined;
    const { host } = line;
    const reason = replyText(error);
    this.failure = { host, reason, error };
    this.countLived(performance.now() - line.upSince);
    if (!this.ended) {
      const message = `The connection to ${host} was lost: ${reason}`;
      this.parts.state.enter('disconnected', { level: 'warn', message, error, host });
    }
    this.tell((listener) => listener.lineDown?.(line, error));
    this.scheduleAttempt();
  }

  lineBlocked({ host }: Line, reason: string): void {
    const message = `The broker ${host} takes no messages for now: ${reason}`;
    this.parts.state.enter('blocked', { level: 'warn', message, host });
  }

  lineUnblocked(line: Line): void {
    const { host } = line;
    this.parts.state.enter('connected', { level: 'log', message: `The broker ${host} takes messages again`, host });
    this.lineOpened(line);
  }

  lineOpened(line: Line): void {
    this.tell((listener) => listener.lineOpened?.(line));
  }

  lineDeclaredTransient({ host }: Line, { kind, name }: NamedDeclaration): void {
    const message = `The ${kind} '${name}' is not durable at ${host}, though it was to be: taken as it is`;
    this.parts.events.emit({ type: 'durability-mismatch', level: 'warn', message, kind, name });
  }

  private countLived(ms: number): void {
    this.shortLines = ms >= stableAfterMs ? 0 : this.shortLines + 1;
    this.failures = Math.max(0, this.shortLines - forgivenShortLines);
  }

  private attemptDue(): void {
    const { after } = this.parts;
    if (after && !after.line) this.retry = 'comes after';
    else void this.connect();
  }

  private async connect(): Promise<void> {
    this.retry = undefined;
    const { opener, hosts, state } = this.parts;
    const first = hosts.next();
    const label = hostLabel(first);
    state.enter('connecting', { level: 'debug', message: `Connecting to ${label}`, host: label });
    const attempt = (this.attempt = new ConnectionAttempt(opener, hosts));
    try {
      const { model, host } = await attempt.open(first);
      this.connected(model, host);
    } catch (error) {
      const { host, reason } = error instanceof AttemptFailed ? error : new AttemptFailed(first, error);
      this.failed(hostLabel(host), reason);
    }
  }

  private connected(model: ChannelModel, host: BrokerHost): void {
    const line = new Line(model, hostLabel(host), this.parts.livenessTimeoutMs, this, this.parts.closing);
    if (this.ended) return line.destroy(new Error('closed while connecting'));
    this.attempt = undefined;
    this.failure = undefined;
    this.refusals.clear();
    this.downSince = undefined;
    disconnected.delete(this);
    this.current = line;
    this.parts.state.enter('connected', { level: 'log', message: `Connected to ${line.host}`, host: line.host });
    this.tell((listener) => listener.lineUp?.(line));
  }

  private failed(host: string, error: unknown): void {
    if (this.ended) return;
    this.attempt = undefined;
    const reason = replyText(error);
    const isRefused = error instanceof ConnectionRefused;
    // The same reason again and again is worth one warning; who is not let in has to do something about it.
    const isKnown = this.failure?.host === host && this.failure.reason === reason;
    const level = isRefused ? 'error' : isKnown ? 'debug' : 'warn';
    const message = `Connecting to ${host} failed: ${reason}`;
    this.failure = { host, reason, error };
    if (isRefused) this.refusals.set(host, (this.refusals.get(host) ?? 0) + 1);
    else this.refusals.delete(host);
    this.parts.state.enter('disconnected', { level, message, error, host });
    this.tell((listener) => listener.attemptFailed?.({ host, reason, error }));
    // As kombu: a pause comes after the last host.
    if (this.parts.hosts.hasOthers) return this.scheduleAttempt(0);
    this.failures++;
    this.scheduleAttempt();
  }

  private scheduleAttempt(delayMs = this.pauseMs()): void {
    if (this.ended || this.retry !== undefined) return;
    this.retry = setTimeout(() => this.attemptDue(), delayMs);
  }

  private pauseMs(): number {
    const { policy } = this.parts;
    const now = performance.now();
    this.downSince ??= now;
    disconnected.add(this);
    if (this.refusals.size > 0) return policy.refusedDelayMs(Math.max(...this.refusals.values()));
    return policy.delayMs(this.failures, { ms: now - this.downSince, neighbours: disconnected.size - 1 });
  }

  private async end(): Promise<void> {
    this.ended = true;
    disconnected.delete(this);
    if (this.retry !== 'comes after') clearTimeout(this.retry);
    this.attempt?.abort();
    const line = this.current;
    await line?.close();
    this.parts.state.enter('closed', { level: 'log', message: 'The connection is closed' });
    this.listeners.clear();
  }

  private tell(news: (listener: LineListener) => void): void {
    for (const listener of this.listeners) news(listener);
  }
}
