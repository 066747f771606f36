import type { Writable } from 'node:stream';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';
import type { ChannelObserver, Link, LinkChannel, LinkObserver } from '../link.js';
import type { Dialect } from './dialect.js';
import { FrameWriter } from './frame-writer.js';
import { Instrumentation } from './instrumentation.js';
import { RabbitChannel, refusalOf } from './rabbit-channel.js';
import { Uploads } from './uploads.js';

/** A socket that is only half closed by its peer is cut after this time. */
const goodbyeMs = 1_000;

/** One connection of amqplib. */
export class RabbitLink implements Link {
  readonly uploads = new Uploads();
  /** Undefined where amqplib writes everything itself. */
  frames: FrameWriter | undefined;
  private readonly socket: Socket;
  private state: 'closed' | 'open' = 'open';
  private reason: Error | undefined;
  private observer: LinkObserver | undefined;

  constructor(
    private readonly model: ChannelModel,
    readonly dialect: Dialect = {},
    private readonly instrumentation = new Instrumentation(),
  ) {
    this.socket = socketOf(model);
    model.on('error', (error: Error) => this.failed(refusalOf(error)));
    model.on('close', (error?: Error) => this.end(error && refusalOf(error)));
    model.on('blocked', (reason: string) => this.isOpen && this.observer?.linkBlocked(reason));
    model.on('unblocked', () => this.isOpen && this.observer?.linkUnblocked());
    this.frames = FrameWriter.of(model, dialect.compression);
    if (!this.frames) gatherWrites(this.socket);
  }

  /** The first number of the broker's version; undefined where it tells none. */
  get majorVersion(): number | undefined {
    const major = Number.parseInt(String(this.serverProperties.version), 10);
    return Number.isNaN(major) ? undefined : major;
  }

  get clusterName(): string | undefined {
    const { cluster_name: name } = this.serverProperties;
    return typeof name === 'string' ? name : undefined;
  }

  private get serverProperties(): Record<string, unknown> {
    return (this.model.connection as { serverProperties?: Record<string, unknown> }).serverProperties ?? {};
  }

  get bytesRead(): number {
    return this.socket.bytesRead;
  }

  get signsOfLife(): number {
    return bytesOfFrames(this.model);
  }

  get uploading(): boolean {
    return this.uploads.areUnderWay;
  }

  attach(observer: LinkObserver): void {
    this.observer = observer;
    if (!this.isOpen) queueMicrotask(() => observer.linkClosed(this.reason));
  }

  async openChannel(observer: ChannelObserver, options?: { confirms: boolean }): Promise<LinkChannel> {
    try {
      const channel = await (options?.confirms ? this.model.createConfirmChannel() : this.model.createChannel());
      const isSeen = this.instrumentation.looksAt(channel);
      if (isSeen) this.leaveWriting();
      return new RabbitChannel(channel, observer, this, isSeen);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async close(): Promise<void> {
    if (this.state === 'closed') return;
    await this.model.close();
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  destroy(reason: Error): void {
    this.reason ??= reason;
    // With an error: amqplib listens to nothing else that says the socket is gone.
    this.socket.destroy(reason);
    this.end(reason);
  }

  /** An instrumentation sees nothing of what is written past amqplib. */
  private leaveWriting(): void {
    if (!this.frames) return;
    this.frames = undefined;
    gatherWrites(this.socket);
  }

  private get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Frames that make no sense make amqplib say good-bye, and an answer may never come. */
  private failed(error: Error): void {
    this.reason ??= error;
    queueMicrotask(() => this.isOpen && this.destroy(error));
  }

  private end(error: Error | undefined): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.letSocketEnd();
    this.reason ??= error;
    this.observer?.linkClosed(this.reason);
  }

  /** amqplib only half-closes it, which a peer that is gone never answers. */
  private letSocketEnd(): void {
    if (this.socket.destroyed) return;
    this.socket.destroySoon();
    const cut = setTimeout(() => this.socket.destroy(), goodbyeMs);
    cut.unref();
    this.socket.once('close', () => clearTimeout(cut));
  }
}

/**
 * Makes one write of all that is written within one callback of the event loop.
 *
 * amqplib writes frame by frame: a system call and often a packet each, which is more than half of
 * what a small message costs at both ends.
 */
export function gatherWrites(socket: Writable): void {
  const write: Writable['write'] = socket.write.bind(socket);
  let corked = false;
  const uncork = (): void => {
    corked = false;
    socket.uncork();
  };
  socket.write = ((...args: Parameters<typeof write>): boolean => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  }) as typeof socket.write;
}

/** amqplib has it, but tells nobody in its types. */
function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { stream: Socket }).stream;
}

/** A part this long is a sign of life though the frame is not whole. */
const partBytes = 16_384;

/**
 * Grows with each whole frame that has come in, and with each larger part of one. Behind a damaged length all that comes
 * is part of one frame: a few answers to our own questions are no life then.
 */
function bytesOfFrames(model: ChannelModel): number {
  const { rest } = model.connection as unknown as { rest?: Buffer };
  return socketOf(model).bytesRead - ((rest?.length ?? 0) % partBytes);
}
