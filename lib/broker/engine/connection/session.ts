import type { EventChannel } from '../../../events/event-channel.js';
import { within } from '../../../events/within.js';
import type { QueueInspection } from '../../broker.js';
import { type Link, type LinkChannel, type LinkObserver, ReplyCode } from '../../link.js';
import { State, type Transitions } from '../state.js';
import { type AnswerTimeout, RequestChannel } from './broker-request.js';
import type { AskedConnection, ClosingRequests } from './closing-requests.js';
import { Liveness } from './liveness.js';
import { replyCode } from './reply-codes.js';
import { TopologyDeclarer } from './topology-declarer.js';

/** Callbacks of a session to its connection. */
export interface SessionObserver {
  sessionEnded(session: Session, error: Error): void;
  sessionBlocked(session: Session, reason: string): void;
  /** The broker reads what is published here (again). */
  sessionOpened(session: Session): void;
}

export interface SessionParts {
  observer: SessionObserver;
  closingRequests: ClosingRequests;
  events: EventChannel;
  /** 0: only heartbeats notice a silence. */
  livenessTimeoutMs: number;
  /** True when it may fall silent. */
  isWatched: boolean;
}

/** How long an orderly good-bye may take before the link is cut. */
const goodbyeMs = 1_000;
/** Less in one timeout keeps no answer back: deliveries now and then, answers to our questions. */
const backlogBytes = 1_048_576;
/** As long at most an answer is awaited behind deliveries. */
const longestBacklogMs = 60_000;
/** Used when nobody watches for silence. */
const defaultAnswerMs = 5_000;

/**
 * How the broker reads what is published. It tells of an alarm only those who publish: more than one message
 * before its answer (`untried`, `tried`) would wait in its buffers, and be taken when nobody wants it any more.
 */
type SessionState =
  | { readonly name: 'blocked' }
  | { readonly name: 'ended'; readonly error: Error; readonly silent: boolean }
  | { readonly name: 'open' }
  | { readonly name: 'tried' }
  | { readonly name: 'untried' };

const following: Transitions<SessionState['name']> = {
  untried: ['tried', 'blocked', 'ended'],
  tried: ['open', 'blocked', 'ended'],
  open: ['blocked', 'ended'],
  blocked: ['open', 'ended'],
  ended: [],
};

/** One connection to one node of the broker, from the finished handshake to its end, with what is known on it. */
export class Session implements LinkObserver, AskedConnection {
  /** For inspections: apart from declarations, as either may wait long for one queue. */
  private readonly requests: RequestChannel;
  readonly declarer: TopologyDeclarer;
  readonly timeout: AnswerTimeout;
  readonly openedAt = performance.now();
  /** Of its own: behind a queue that is slow to answer, a living connection would pass for dead. */
  private readonly probes: RequestChannel;
  private readonly liveness: Liveness | undefined;
  private readonly state = new State<SessionState>('session', following, { name: 'untried' });

  constructor(
    readonly link: Link,
    /** For people: without credentials. */
    readonly host: string,
    private readonly parts: SessionParts,
  ) {
    const { closingRequests, events, livenessTimeoutMs, isWatched } = parts;
    // A broker under an alarm reads nothing; nothing comes back on a slow connection before a large message is through.
    const excused = (): boolean => !isWatched || this.blocked || link.uploading;
    this.timeout = { timeoutMs: livenessTimeoutMs || defaultAnswerMs, excused };
    this.requests = new RequestChannel(link, this.timeout);
    this.probes = new RequestChannel(link, this.timeout);
    this.declarer = new TopologyDeclarer(new RequestChannel(link, this.timeout), closingRequests, this, events);
    if (isWatched && livenessTimeoutMs > 0) this.liveness = this.watched(link, excused, livenessTimeoutMs);
    link.attach(this);
  }

  get alive(): boolean {
    return this.state.name !== 'ended';
  }

  /** Why it has ended. */
  get endedBy(): Error | undefined {
    const { value } = this.state;
    return value.name === 'ended' ? value.error : undefined;
  }

  /** Given up because nothing came: the broker may not know of its end. */
  get fellSilent(): boolean {
    const { value } = this.state;
    return value.name === 'ended' && value.silent;
  }

  /** The broker has stopped reading what is published here. */
  get blocked(): boolean {
    return this.state.name === 'blocked';
  }

  /** True when another message may be written now. */
  get takesMessages(): boolean {
    return this.state.name === 'open' || this.state.name === 'untried';
  }

  /** A message has been written; true: it is the first, and nothing else is before the broker has read on (`messageRead`). */
  messageWritten(): boolean {
    if (this.state.name !== 'untried') return false;
    this.state.enter({ name: 'tried' });
    return true;
  }

  /** The broker has answered after a message. */
  messageRead(): void {
    if (this.state.name === 'tried') this.opened();
  }

  /** Our own event loop stood still until just now. */
  get heldUp(): boolean {
    return this.liveness?.heldUp ?? false;
  }

  /** Answers that stand behind many deliveries, which still arrive, are worth waiting for. */
  get timeoutBehindDeliveries(): AnswerTimeout {
    const since = performance.now();
    let seen = this.link.bytesRead;
    const excused = (): boolean => {
      const arrives = this.link.bytesRead - seen > backlogBytes;
      seen = this.link.bytesRead;
      return this.timeout.excused() || (arrives && performance.now() - since < longestBacklogMs);
    };
    return { ...this.timeout, excused };
  }

  /** Undefined: there is no such queue. */
  async inspectQueue(queue: string): Promise<QueueInspection | undefined> {
    return this.inspect(`inspect queue '${queue}'`, (channel) => channel.inspectQueue(queue));
  }

  async hasExchange(exchange: string): Promise<boolean> {
    const seen = this.inspect(`inspect exchange '${exchange}'`, (channel) =>
      channel.inspectExchange(exchange).then(() => true),
    );
    return (await seen) ?? false;
  }

  deleteQueue(queue: string, condition?: { ifEmpty: boolean }): Promise<void> {
    return this.requests.ask(`delete queue '${queue}'`, (channel) => channel.deleteQueue(queue, condition));
  }

  /** Asks the broker for a sign of life; false when the connection has ended without. */
  answers(): Promise<boolean> {
    // Needs no permission, changes nothing: no consumer lives on this channel.
    const answer = this.probes.ask('a sign of life', (channel) => channel.prefetch(1));
    return answer.then(
      () => true,
      () => false,
    );
  }

  /** Ends it for the silence of the broker, which may not hear of it. */
  giveUp(reason: string): void {
    this.end(new Error(reason), true);
  }

  /** Cuts the link without a good-bye. */
  destroy(reason: Error): void {
    this.end(reason, false);
  }

  /** Says good-bye, for a bounded time. Whoever used it is told as after any loss. */
  async close(): Promise<void> {
    this.liveness?.end();
    if (!this.alive) return;
    await within(goodbyeMs, this.link.close());
    this.destroy(new Error('closed by us'));
  }

  linkClosed(error: Error | undefined): void {
    this.end(error ?? new Error('the connection was closed'), false);
  }

  linkBlocked(reason: string): void {
    if (!this.alive || this.blocked) return;
    this.state.enter({ name: 'blocked' });
    this.parts.observer.sessionBlocked(this, reason);
  }

  linkUnblocked(): void {
    if (this.blocked) this.opened();
  }

  private async inspect<T>(what: string, request: (channel: LinkChannel) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.requests.ask(what, request);
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return undefined;
      throw error;
    }
  }

  private opened(): void {
    this.state.enter({ name: 'open' });
    this.parts.observer.sessionOpened(this);
  }

  private end(error: Error, silent: boolean): void {
    if (!this.alive) return;
    this.state.enter({ name: 'ended', error, silent });
    this.liveness?.end();
    // Ends its channels as well, which tell so before.
    this.link.destroy(error);
    this.parts.observer.sessionEnded(this, error);
  }

  private watched(link: Link, excused: () => boolean, timeoutMs: number): Liveness {
    const connection = {
      get signsOfLife() {
        return link.signsOfLife;
      },
      probe: () => void this.answers(),
      excused,
      dead: () => this.giveUp(`the broker answered nothing for ${timeoutMs} ms`),
    };
    return new Liveness(connection, timeoutMs);
  }
}
