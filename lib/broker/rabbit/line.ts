import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';
import { within } from '../../events/within.js';
import type { Patience } from './answered-in-time.js';
import { bytesOfFrames, socketOf } from './amqp-socket.js';
import { ClosingRequests } from './closing-requests.js';
import { gatherWrites } from './socket-cork.js';
import { LargeUploads } from './large-uploads.js';
import { LivenessWatch } from './liveness-watch.js';
import { SpareChannel } from './spare-channel.js';
import { type NamedDeclaration, TopologyDeclarer } from './topology-declarer.js';

/** What a line reports to its supervisor. */
export interface LineObserver {
  lineLost(line: Line, error: Error): void;
  lineBlocked(line: Line, reason: string): void;
  lineUnblocked(line: Line): void;
  /** The broker reads what is published here. */
  lineOpened(line: Line): void;
  lineDeclaredTransient(line: Line, declaration: NamedDeclaration): void;
}

/** How long an orderly good-bye may take before the socket is cut. */
const goodbyeMs = 1_000;

/** What arrives within one patience and is less keeps no answer back: deliveries now and then, answers to our questions. */
const backlogBytes = 1_048_576;

/** As long at most an answer is awaited behind deliveries. */
const longestBacklogMs = 60_000;

/**
 * Whether the broker reads what is published. It tells of an alarm only those who publish: more than one message
 * before its answer would wait in its buffers, and be taken when nobody wants it any more.
 */
type Intake = 'blocked' | 'open' | 'tried' | 'untried';

/** One connection to one node of the broker, from the finished handshake to its end. */
export class Line {
  /** For looks: apart from declarations, as either may wait long for one queue. */
  readonly spare: SpareChannel;
  readonly declarer: TopologyDeclarer;
  readonly patience: Patience;
  readonly upSince = performance.now();
  /** Of its own: behind a queue that is slow to answer a look, a living line would pass for dead. */
  private readonly probes: SpareChannel;
  private readonly socket: Socket;
  private readonly watch: LivenessWatch;
  private reason: Error | undefined;
  private isAlive = true;
  private intake: Intake = 'untried';
  private silent = false;
  private readonly uploads = new LargeUploads();

  constructor(
    readonly model: ChannelModel,
    /** `host:port`. */
    readonly host: string,
    livenessTimeoutMs: number,
    private readonly observer: LineObserver,
    closing = new ClosingRequests(),
  ) {
    this.socket = socketOf(model);
    model.on('error', (error) => this.failed(error));
    model.on('close', (error) => this.lost(error));
    model.on('blocked', (reason) => this.blockedChanged(true, reason));
    model.on('unblocked', () => this.blockedChanged(false, ''));
    gatherWrites(this.socket);
    const excused = (): boolean => this.blocked || this.uploads.areUnderWay;
    this.patience = { answerWithinMs: livenessTimeoutMs, excused };
    this.spare = new SpareChannel(model, this.patience);
    this.probes = new SpareChannel(model, this.patience);
    this.declarer = new TopologyDeclarer(
      new SpareChannel(model, this.patience),
      (declaration) => this.observer.lineDeclaredTransient(this, declaration),
      closing,
      this,
    );
    this.watch = new LivenessWatch(
      {
        bytesRead: () => bytesOfFrames(model),
        probe: () => void this.answers(),
        excused,
        dead: () => this.giveUp(`the broker answered nothing for ${livenessTimeoutMs} ms`),
      },
      livenessTimeoutMs,
    );
  }

  get alive(): boolean {
    return this.isAlive;
  }

  /** Given up because nothing came: the broker may not know of its end. */
  get fellSilent(): boolean {
    return this.silent;
  }

  /** Why it has ended. */
  get endedBy(): Error | undefined {
    return this.reason;
  }

  /** Our own event loop stood still until just now. */
  get heldUp(): boolean {
    return this.watch.heldUp;
  }

  /** The broker has stopped reading what is published here. */
  get blocked(): boolean {
    return this.intake === 'blocked';
  }

  /** Whether another message may be written now. */
  get takesMessages(): boolean {
    return this.isAlive && (this.intake === 'untried' || this.intake === 'open');
  }

  /** A message has been written; true: it is the first, and nothing else is before the broker has read on (`messageRead`). */
  messageWritten(): boolean {
    if (this.intake !== 'untried') return false;
    this.intake = 'tried';
    return true;
  }

  /** The broker has answered after a message. */
  messageRead(): void {
    if (this.intake !== 'tried' || !this.isAlive) return;
    this.intake = 'open';
    this.observer.lineOpened(this);
  }

  /** A message goes out here; what is returned is to be called when the broker has taken it, or never will. */
  upload(bytes: number): () => void {
    return this.uploads.begin(bytes);
  }

  /** Where answers stand behind many deliveries that still arrive, they are worth waiting for. */
  get patienceBehindDeliveries(): Patience {
    const since = performance.now();
    let seen = this.socket.bytesRead;
    const excused = (): boolean => {
      const arrives = this.socket.bytesRead - seen > backlogBytes;
      seen = this.socket.bytesRead;
      return this.patience.excused() || (arrives && performance.now() - since < longestBacklogMs);
    };
    return { ...this.patience, excused };
  }

  /** For the silence of the broker, which may not hear of it. */
  giveUp(reason: string): void {
    this.silent = true;
    this.destroy(new Error(reason));
  }

  /** Cuts the socket without a good-bye. */
  destroy(reason: Error): void {
    this.reason ??= reason;
    // With an error: amqplib listens to nothing else that says the socket is gone.
    this.socket.destroy(reason);
    this.lost(reason);
  }

  /** Says good-bye, for a bounded time. Whoever used the line is told as after any loss. */
  async close(): Promise<void> {
    this.watch.end();
    if (!this.isAlive) return;
    await within(goodbyeMs, this.model.close());
    if (this.isAlive) this.destroy(new Error('closed by us'));
    if (!this.socket.closed) await within(goodbyeMs, once(this.socket, 'close'));
  }

  /** Asks the broker for a sign of life; false when the line has ended without. */
  answers(): Promise<boolean> {
    // Needs no permission, changes nothing: no consumer lives on this channel.
    const answer = this.probes.run('a sign of life', (channel) => channel.prefetch(1));
    return answer.then(
      () => true,
      () => false,
    );
  }

  /** Where amqplib only says good-bye, after frames that make no sense, an answer may never come. */
  private failed(error: Error): void {
    this.reason ??= error;
    queueMicrotask(() => this.isAlive && this.destroy(error));
  }

  private lost(error: Error | undefined): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.watch.end();
    this.letSocketEnd();
    this.observer.lineLost(this, this.reason ?? error ?? new Error('the connection was closed'));
  }

  /** amqplib only half-closes it, which a peer that is gone never answers. */
  private letSocketEnd(): void {
    if (this.socket.destroyed) return;
    this.socket.destroySoon();
    const cut = setTimeout(() => this.socket.destroy(), goodbyeMs);
    cut.unref();
    this.socket.once('close', () => clearTimeout(cut));
  }

  private blockedChanged(blocked: boolean, reason: string): void {
    if (!this.isAlive || this.blocked === blocked) return;
    this.intake = blocked ? 'blocked' : 'open';
    if (blocked) this.observer.lineBlocked(this, reason);
    else this.observer.lineUnblocked(this);
  }
}
