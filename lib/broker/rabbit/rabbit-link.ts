import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';
import type { ChannelObserver, Link, LinkChannel, LinkObserver } from '../link.js';
import { bytesOfFrames, socketOf } from './amqp-socket.js';
import { RabbitChannel, refusalOf } from './rabbit-channel.js';
import { gatherWrites } from './socket-cork.js';
import { Uploads } from './uploads.js';

/** A socket that is only half closed by its peer is cut after this time. */
const goodbyeMs = 1_000;

/** One connection of amqplib. */
export class RabbitLink implements Link {
  readonly uploads = new Uploads();
  private readonly socket: Socket;
  private state: 'closed' | 'open' = 'open';
  private reason: Error | undefined;
  private observer: LinkObserver | undefined;

  constructor(private readonly model: ChannelModel) {
    this.socket = socketOf(model);
    model.on('error', (error: Error) => this.failed(refusalOf(error)));
    model.on('close', (error?: Error) => this.end(error && refusalOf(error)));
    model.on('blocked', (reason: string) => this.isOpen && this.observer?.linkBlocked(reason));
    model.on('unblocked', () => this.isOpen && this.observer?.linkUnblocked());
    gatherWrites(this.socket);
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
      return new RabbitChannel(channel, observer, this);
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

  private get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Where amqplib only says good-bye, after frames that make no sense, an answer may never come. */
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
