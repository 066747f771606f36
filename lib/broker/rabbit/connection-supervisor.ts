import type { ChannelModel } from 'amqplib';
import type { EventChannel } from '../../events/event-channel.js';
import type { ConnectionPhase } from '../../events/messaging-event.js';
import { replyText } from './amqp-reply.js';
import type { ConnectionOpener } from './connection-opener.js';
import type { ConnectionState } from './connection-state.js';
import { type BrokerHost, type HostRotation, hostLabel } from './host-rotation.js';
import { Line, type LineObserver } from './line.js';
import type { ReconnectPolicy } from './reconnect-policy.js';
import type { NamedDeclaration } from './topology-declarer.js';

/** What users of a supervised connection are told. */
export interface LineListener {
  lineUp?(line: Line): void;
  lineDown?(line: Line, error: Error): void;
  lineUnblocked?(line: Line): void;
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
}

/** Several lines in a row that lived shorter are as good as failed attempts. */
const stableAfterMs = 250;
const forgivenShortLines = 4;

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
  private retry: NodeJS.Timeout | undefined;
  private attempt: AbortController | undefined;
  private lastReason: string | undefined;

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

  /** Begins connecting, once. */
  start(): void {
    if (this.started || this.ended) return;
    this.started = true;
    void this.connect();
  }

  /** The broker was reached another way just now: there is nothing left to wait for, unless it ends each line of ours. */
  hurry(): void {
    if (this.ended || !this.retry || this.parts.policy.isPrescribed || this.shortLines > forgivenShortLines) return;
    clearTimeout(this.retry);
    this.retry = undefined;
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
    this.countLived(performance.now() - line.upSince);
    if (!this.ended) {
      const message = `The connection to ${host} was lost: ${replyText(error)}`;
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
    this.tell((listener) => listener.lineUnblocked?.(line));
  }

  lineDeclaredTransient({ host }: Line, { kind, name }: NamedDeclaration): void {
    const message = `The ${kind} '${name}' is not durable at ${host}, though it was to be: taken as it is`;
    this.parts.events.emit({ type: 'durability-mismatch', level: 'warn', message, kind, name });
  }

  private countLived(ms: number): void {
    this.shortLines = ms >= stableAfterMs ? 0 : this.shortLines + 1;
    this.failures = Math.max(0, this.shortLines - forgivenShortLines);
  }

  private async connect(): Promise<void> {
    const { opener, hosts, state } = this.parts;
    const host = hosts.next();
    const label = hostLabel(host);
    state.enter('connecting', { level: 'debug', message: `Connecting to ${label}`, host: label });
    const attempt = (this.attempt = new AbortController());
    try {
      const model = await opener.open(host, attempt);
      hosts.reached(host);
      this.connected(model, host);
    } catch (error) {
      hosts.failed(host);
      this.failed(label, error);
    }
  }

  private connected(model: ChannelModel, host: BrokerHost): void {
    const line = new Line(model, hostLabel(host), this.parts.livenessTimeoutMs, this);
    if (this.ended) return line.destroy(new Error('closed while connecting'));
    this.attempt = undefined;
    this.lastReason = undefined;
    this.current = line;
    this.parts.state.enter('connected', { level: 'log', message: `Connected to ${line.host}`, host: line.host });
    this.tell((listener) => listener.lineUp?.(line));
  }

  private failed(host: string, error: unknown): void {
    if (this.ended) return;
    this.attempt = undefined;
    const reason = replyText(error);
    // The same reason again and again is worth one warning.
    const level = this.lastReason === `${host} ${reason}` ? 'debug' : 'warn';
    this.lastReason = `${host} ${reason}`;
    const message = `Connecting to ${host} failed: ${reason}`;
    this.parts.state.enter('disconnected', { level, message, error, host });
    this.tell((listener) => listener.attemptFailed?.({ host, reason, error }));
    // As kombu: a pause comes after the last host.
    if (this.parts.hosts.hasOthers) return this.scheduleAttempt(0);
    this.failures++;
    this.scheduleAttempt();
  }

  private scheduleAttempt(delayMs = this.parts.policy.delayMs(this.failures)): void {
    if (this.ended || this.retry) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      void this.connect();
    }, delayMs);
  }

  private async end(): Promise<void> {
    this.ended = true;
    clearTimeout(this.retry);
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
