import type { EventChannel } from '../../../events/event-channel.js';
import type { ConnectionChanged, ConnectionPhase } from '../../../events/messaging-event.js';
import { BrokerRefusal, type LinkProvider } from '../../link.js';
import { State, type Transitions } from '../state.js';
import type { Backoff } from './backoff.js';
import type { ClosingRequests } from './closing-requests.js';
import { AttemptFailed, ConnectionAttempt, type OpenedLink } from './connection-attempt.js';
import type { Hosts } from './hosts.js';
import { replyText } from './reply-codes.js';
import { Session, type SessionObserver } from './session.js';

/** Callbacks for users of a connection. */
export interface ConnectionListener {
  connected?(session: Session): void;
  disconnected?(session: Session): void;
  /** It takes messages (again). */
  opened?(session: Session): void;
  attemptFailed?(failure: AttemptFailure): void;
}

export interface AttemptFailure {
  host: string;
  reason: string;
  error: unknown;
}

export interface ConnectionParts {
  purpose: ConnectionChanged['connection'];
  links: LinkProvider;
  hosts: Hosts;
  backoff: Backoff;
  /** As the broker shows it to people. */
  connectionName: string;
  livenessTimeoutMs: number;
  events: EventChannel;
  /** Known for longer than one session lives. */
  closingRequests: ClosingRequests;
  /** All that try to connect again: the more they are, the more time each of them takes. @defaultValue those of this process */
  disconnected?: Set<Connection>;
  /** Connects first: a broker that thousands come back to is asked for one connection by each, and for the other when that is there. */
  after?: { readonly session: Session | undefined };
}

type ConnectionState =
  | { readonly name: 'blocked'; readonly session: Session }
  | { readonly name: 'closed' }
  | { readonly name: 'closing'; readonly phase: ConnectionPhase }
  | { readonly name: 'connected'; readonly session: Session }
  | { readonly name: 'connecting'; readonly attempt: ConnectionAttempt }
  | { readonly name: 'following' }
  | { readonly name: 'idle' }
  | { readonly name: 'waiting'; readonly timer: NodeJS.Timeout };

/** `following`: its turn comes when the other connection is there. */
const following: Transitions<ConnectionState['name']> = {
  idle: ['connecting', 'following', 'closing'],
  following: ['connecting', 'closing'],
  connecting: ['connected', 'waiting', 'closing'],
  connected: ['blocked', 'waiting', 'closing'],
  blocked: ['connected', 'waiting', 'closing'],
  waiting: ['connecting', 'following', 'closing'],
  closing: ['closed'],
  closed: [],
};

type TransitionFacts = Pick<ConnectionChanged, 'error' | 'host' | 'level' | 'message'>;

/** Several sessions in a row that lived shorter are as good as failed attempts. */
const stableAfterMs = 250;
const forgivenShortSessions = 4;

/** Those of this process. */
const ofThisProcess = new Set<Connection>();

/** Keeps one connection up: connects, notices its loss, connects again; never two at a time. */
export class Connection implements SessionObserver {
  private readonly listeners = new Set<ConnectionListener>();
  private readonly state = new State<ConnectionState>('connection', following, { name: 'idle' });
  private closing: Promise<void> | undefined;
  /** Rounds of all hosts, in a row, in which none could be reached. */
  private failures = 0;
  private shortSessions = 0;
  /** How often each host has refused us since we were last connected; one that is only gone has forgotten us. */
  private readonly refusals = new Map<string, number>();
  private downSince: number | undefined;
  private failure: AttemptFailure | undefined;

  private readonly disconnected: Set<Connection>;

  constructor(private readonly parts: ConnectionParts) {
    this.disconnected = parts.disconnected ?? ofThisProcess;
  }

  /** While there is one. */
  /** For people: the bus, as far as one was reached. */
  get bus(): string | undefined {
    const { host } = this;
    const { virtualHost } = this.parts.links;
    return host === undefined || virtualHost === undefined ? host : `${host} (virtual host ${virtualHost})`;
  }

  get session(): Session | undefined {
    const { value } = this.state;
    return value.name === 'connected' || value.name === 'blocked' ? value.session : undefined;
  }

  get phase(): ConnectionPhase {
    return phaseOf(this.state.value);
  }

  get isStarted(): boolean {
    return this.state.name !== 'idle';
  }

  /** Why there is no connection, as far as it is known. */
  get lastFailure(): AttemptFailure | undefined {
    return this.failure;
  }

  /** Begins connecting, once. */
  start(): void {
    if (this.state.name === 'idle') this.attemptDue();
  }

  /** The broker was reached another way just now: there is nothing left to wait for, unless it ends each session of ours. */
  retryNow(): void {
    if (this.state.name === 'following') return this.connect();
    if (this.state.name !== 'waiting') return;
    if (!this.parts.backoff.isPrescribed && this.shortSessions <= forgivenShortSessions) this.connect();
  }

  listen(listener: ConnectionListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  sessionEnded(session: Session, error: Error): void {
    const { host } = session;
    const reason = replyText(error);
    this.failure = { host, reason, error };
    this.countLived(performance.now() - session.openedAt);
    if (this.session === session) {
      this.wait(this.pauseMs(), {
        level: 'warn',
        message: `The connection to ${this.placeAt(host)} was lost: ${reason}`,
        error,
        host,
      });
    }
    this.tell((listener) => listener.disconnected?.(session));
  }

  sessionBlocked(session: Session, reason: string): void {
    if (this.session !== session) return;
    const { host } = session;
    const message = `The broker ${this.placeAt(host)} takes no messages for now: ${reason}`;
    this.enter({ name: 'blocked', session }, { level: 'warn', message, host });
  }

  sessionOpened(session: Session): void {
    if (this.session !== session) return;
    const { host } = session;
    const message = `The broker ${this.placeAt(host)} takes messages again`;
    if (this.state.name === 'blocked') this.enter({ name: 'connected', session }, { level: 'log', message, host });
    this.tell((listener) => listener.opened?.(session));
  }

  private countLived(ms: number): void {
    this.shortSessions = ms >= stableAfterMs ? 0 : this.shortSessions + 1;
    this.failures = Math.max(0, this.shortSessions - forgivenShortSessions);
  }

  private attemptDue(): void {
    const { after } = this.parts;
    if (after && !after.session) this.state.enter({ name: 'following' });
    else this.connect();
  }

  private connect(): void {
    const { links, hosts, connectionName } = this.parts;
    const first = hosts.next();
    const host = links.labelOf(first);
    const attempt = new ConnectionAttempt(links, hosts, connectionName);
    this.enter(
      { name: 'connecting', attempt },
      { level: 'debug', message: `Connecting to ${this.placeAt(host)}`, host },
    );
    attempt.open(first).then(
      (opened) => this.connected(opened),
      (error: AttemptFailed) => this.failed(links.labelOf(error.host), error.reason),
    );
  }

  private connected({ link, host }: OpenedLink): void {
    if (this.state.name !== 'connecting') return link.destroy(new Error('closed while connecting'));
    const { closingRequests, events, links, livenessTimeoutMs } = this.parts;
    const session = new Session(link, links.labelOf(host), {
      observer: this,
      closingRequests,
      events,
      livenessTimeoutMs,
      isWatched: links.mayFallSilent,
    });
    this.failure = undefined;
    this.refusals.clear();
    this.downSince = undefined;
    this.disconnected.delete(this);
    const message = `Connected to ${this.placeAt(session.host)}`;
    this.enter({ name: 'connected', session }, { level: 'log', message, host: session.host });
    this.tell((listener) => listener.connected?.(session));
  }

  private failed(host: string, error: unknown): void {
    if (this.state.name !== 'connecting') return;
    const reason = replyText(error);
    const isRefused = error instanceof BrokerRefusal;
    // The same reason again and again is worth one warning; who is not let in has to do something about it.
    const isKnown = this.failure?.host === host && this.failure.reason === reason;
    const level = isRefused ? 'error' : isKnown ? 'debug' : 'warn';
    this.failure = { host, reason, error };
    if (isRefused) this.refusals.set(host, (this.refusals.get(host) ?? 0) + 1);
    else this.refusals.delete(host);
    // As kombu: a pause comes after the last host.
    const { hasOthers } = this.parts.hosts;
    if (!hasOthers) this.failures++;
    this.wait(hasOthers ? 0 : this.pauseMs(), {
      level,
      message: `Connecting to ${this.placeAt(host)} failed: ${reason}`,
      error,
      host,
    });
    this.tell((listener) => listener.attemptFailed?.({ host, reason, error }));
  }

  private wait(delayMs: number, facts: TransitionFacts): void {
    this.enter({ name: 'waiting', timer: setTimeout(() => this.attemptDue(), delayMs) }, facts);
  }

  private pauseMs(): number {
    const { backoff } = this.parts;
    const now = performance.now();
    this.downSince ??= now;
    this.disconnected.add(this);
    if (this.refusals.size > 0) return backoff.refusedDelayMs(Math.max(...this.refusals.values()));
    return backoff.delayMs(this.failures, { ms: now - this.downSince, neighbours: this.disconnected.size - 1 });
  }

  private async end(): Promise<void> {
    const { host, phase, session } = this;
    this.enter({ name: 'closing', phase });
    this.disconnected.delete(this);
    await session?.close();
    this.enter({ name: 'closed' }, { level: 'log', message: `The connection${this.to(host)} is closed`, host });
    this.listeners.clear();
  }

  private enter(next: ConnectionState, facts?: TransitionFacts): void {
    const before = this.state.enter(next);
    if (!before) return;
    if (before.name === 'connecting' && next.name === 'closing') before.attempt.abort();
    const [from, to] = [phaseOf(before), phaseOf(next)];
    if (facts && from !== to) {
      const { events, links, purpose } = this.parts;
      const { virtualHost } = links;
      events.emit({ type: 'connection-changed', connection: purpose, virtualHost, from, to, ...facts });
    }
  }

  /** For people: a bus is a host and a virtual host, and there are two connections to it. */
  private placeAt(host: string): string {
    const { virtualHost } = this.parts.links;
    return virtualHost === undefined ? `${host} (${this.use})` : `${host} (virtual host ${virtualHost}, ${this.use})`;
  }

  /** The one that we are connected to, or were or wanted to be last. */
  private get host(): string | undefined {
    return this.session?.host ?? this.failure?.host;
  }

  /** One that was closed before its first attempt ended has no host. */
  private to(host: string | undefined): string {
    return host === undefined ? ` for ${this.use}` : ` to ${this.placeAt(host)}`;
  }

  private get use(): string {
    return this.parts.purpose === 'publish' ? 'publishing' : 'consuming';
  }

  private tell(news: (listener: ConnectionListener) => void): void {
    for (const listener of this.listeners) news(listener);
  }
}

/** As it is told to others. */
function phaseOf(state: ConnectionState): ConnectionPhase {
  switch (state.name) {
    case 'idle':
    case 'following':
    case 'waiting':
      return 'disconnected';
    case 'closing':
      return state.phase;
    default:
      return state.name;
  }
}
