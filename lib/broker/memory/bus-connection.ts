import { AsyncLocalStorage } from 'node:async_hooks';
import { BrokerRefusal, type ChannelObserver, type LinkMessage, ReplyCode } from '../link.js';
import { Direction } from './direction.js';
import type { MemoryBus } from './memory-bus.js';
import type { QueuedMessage } from './memory-message.js';
import type { MemoryQueue, QueueConsumer } from './memory-queue.js';

/** The client's end of a connection, as far as the bus knows it. */
export interface ConnectionClient {
  blocked(reason: string): void;
  unblocked(): void;
  closed(error: Error | undefined): void;
}

/** The client's end of a channel. */
export interface ChannelClient extends Required<ChannelObserver> {
  settled(sequence: number, taken: boolean): void;
}

/** The bus's end of one connection. */
export class BusConnection {
  /** Towards the bus, and from it. */
  readonly up: Direction;
  readonly down: Direction;
  private readonly channels = new Set<BusChannel>();
  /** As a socket, it calls back in the context in which it was made, and not in that of whoever has published. */
  private readonly inContext = AsyncLocalStorage.snapshot();
  private state: 'blocked' | 'closed' | 'open' = 'open';

  constructor(
    readonly bus: MemoryBus,
    private readonly client: ConnectionClient,
  ) {
    this.up = new Direction(() => bus.delayMs);
    this.down = new Direction(() => bus.delayMs, this.inContext);
  }

  openChannel(client: ChannelClient): BusChannel {
    const channel = new BusChannel(this, client);
    this.channels.add(channel);
    return channel;
  }

  get openChannels(): readonly BusChannel[] {
    return [...this.channels];
  }

  /** Under an alarm a connection is read until it publishes. */
  block(): void {
    if (this.state !== 'open') return;
    this.state = 'blocked';
    this.down.send(() => this.client.blocked('low on memory'));
  }

  alarmCleared(): void {
    if (this.state !== 'blocked') return;
    this.state = 'open';
    this.down.send(() => this.client.unblocked());
    this.up.release();
  }

  delayChanged(): void {
    this.up.delayChanged();
    this.down.delayChanged();
  }

  /** A broken network, both ends of which notice. */
  cut(): void {
    this.forget();
    this.inContext(() => this.client.closed(new Error('the connection was lost')));
  }

  /** The bus is gone, for good; what it has said before is heard. */
  end(): void {
    this.down.flush();
    this.cut();
  }

  /** Nothing arrives any more, at either end, and neither is told; the bus keeps consumers and deliveries until `forget`. */
  fallSilent(): void {
    this.up.end();
    this.down.end();
  }

  /** The bus ends it, with the reason. */
  close(refusal: BrokerRefusal): void {
    if (this.state === 'closed') return;
    this.leave();
    this.up.end();
    this.down.send(() => this.client.closed(refusal));
  }

  /** The client is gone: what was not acknowledged goes back. */
  forget(): void {
    this.leave();
    this.up.end();
    this.down.end();
  }

  /** The client has cut it, which a bus that hears nothing does not hear either. */
  clientGone(): void {
    this.down.end();
    if (!this.up.hasEnded) this.forget();
  }

  channelClosed(channel: BusChannel): void {
    this.channels.delete(channel);
  }

  /** Ends it at the bus; the client is still to be told. */
  leave(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.bus.detach(this);
    for (const channel of this.openChannels) channel.leave();
  }
}

/** One consumer of one queue, with its own prefetch (RabbitMQ's `global=false`). */
class BusConsumer implements QueueConsumer {
  private unacknowledged = 0;

  constructor(
    readonly tag: string,
    readonly queue: MemoryQueue,
    /** 0: without limit. */
    private readonly prefetch: number,
    private readonly channel: BusChannel,
  ) {}

  get hasRoom(): boolean {
    return this.prefetch === 0 || this.unacknowledged < this.prefetch;
  }

  take(message: QueuedMessage): void {
    this.unacknowledged += 1;
    this.channel.deliver(this, message);
  }

  released(): void {
    this.unacknowledged -= 1;
  }

  lost(): void {
    this.channel.consumerLost(this);
  }
}

interface Unacknowledged {
  consumer: BusConsumer;
  message: QueuedMessage;
}

/** The bus's end of one channel: consumers, deliveries that are not settled, confirms. */
export class BusChannel {
  private readonly consumers = new Map<string, BusConsumer>();
  /** By delivery tag, in order. */
  private readonly unacknowledged = new Map<number, Unacknowledged>();
  private lastTag = 0;
  private prefetchCount = 0;
  /** `hanging`: its process at the broker answers nothing. */
  private state: 'closed' | 'hanging' | 'open' = 'open';
  private hung: (() => void)[] = [];

  constructor(
    private readonly connection: BusConnection,
    private readonly client: ChannelClient,
  ) {}

  get consumerTags(): readonly string[] {
    return [...this.consumers.keys()];
  }

  /** Does what a frame asks for; a refusal closes the channel, or the connection. */
  receive(action: () => 'unread' | void): 'unread' | void {
    if (this.state === 'closed') return;
    if (this.state === 'hanging') return void this.hung.push(action);
    try {
      return action();
    } catch (error) {
      if (!(error instanceof BrokerRefusal)) throw error;
      this.refuse(error);
    }
  }

  /** Its process hangs; `false`: it goes on with what has come meanwhile. */
  hang(hanging: boolean): void {
    if (this.state === 'closed') return;
    this.state = hanging ? 'hanging' : 'open';
    if (hanging) return;
    const waiting = this.hung;
    this.hung = [];
    // Under an alarm it is still not read.
    for (const action of waiting) {
      if (this.receive(action) === 'unread') this.connection.up.send(() => this.receive(action));
    }
  }

  prefetch(count: number): void {
    this.prefetchCount = count;
  }

  consume(name: string, tag: string): void {
    const queue = this.connection.bus.queueToConsume(name, this.connection);
    if (this.consumers.has(tag))
      throw new BrokerRefusal(ReplyCode.notAllowed, `NOT_ALLOWED - attempt to reuse consumer tag '${tag}'`);
    const consumer = new BusConsumer(tag, queue, this.prefetchCount, this);
    this.consumers.set(tag, consumer);
    queue.addConsumer(consumer);
  }

  cancel(tag: string): void {
    const consumer = this.consumers.get(tag);
    this.consumers.delete(tag);
    consumer?.queue.removeConsumer(consumer);
  }

  publish(message: LinkMessage, sequence: number): 'unread' | void {
    const { bus } = this.connection;
    if (bus.alarmed) {
      this.connection.block();
      return 'unread';
    }
    const { routed, taken } = bus.publish(message);
    if (!routed && message.mandatory)
      this.tell(() => this.client.returned({ ...message, content: Buffer.from(message.body) }));
    this.tell(() => this.client.settled(sequence, taken));
  }

  ack(tag: number, multiple: boolean): void {
    const queues = new Set<MemoryQueue>();
    for (const { consumer } of this.settle(tag, multiple)) queues.add(consumer.queue);
    for (const queue of queues) queue.serve();
  }

  reject(tag: number, requeue: boolean): void {
    for (const { consumer, message } of this.settle(tag, false)) {
      if (requeue) consumer.queue.putBack([message]);
      else consumer.queue.serve();
    }
  }

  deliver(consumer: BusConsumer, message: QueuedMessage): void {
    const deliveryTag = ++this.lastTag;
    this.unacknowledged.set(deliveryTag, { consumer, message });
    const { redelivered } = message;
    const { tag: consumerTag } = consumer;
    this.tell(() => this.client.delivered({ ...message.message, consumerTag, deliveryTag, redelivered }));
  }

  /** Its queue is gone; the channel lives on. */
  consumerLost({ tag }: BusConsumer): void {
    this.consumers.delete(tag);
    this.tell(() => this.client.cancelled(tag));
  }

  /** The broker closes the channel, or with a hard error the connection. */
  refuse(refusal: BrokerRefusal): void {
    if (refusal.code >= ReplyCode.notAllowed || refusal.code === ReplyCode.connectionForced) {
      return this.connection.close(refusal);
    }
    this.leave();
    this.connection.down.send(() => this.client.channelClosed(refusal));
  }

  /** Messages that were not acknowledged go back. */
  leave(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.connection.channelClosed(this);
    for (const tag of this.consumerTags) this.cancel(tag);
    const back = new Map<MemoryQueue, QueuedMessage[]>();
    for (const { consumer, message } of this.unacknowledged.values()) {
      const messages = back.get(consumer.queue);
      if (messages) messages.push(message);
      else back.set(consumer.queue, [message]);
    }
    this.unacknowledged.clear();
    for (const [queue, messages] of back) queue.putBack(messages);
  }

  /** Frames of a channel that hangs do not leave either. `pass`: the answer to a question. */
  tell(frame: () => void, how: 'pass' | 'send' = 'send'): void {
    if (this.state === 'hanging') this.hung.push(() => this.tell(frame, how));
    else this.connection.down[how](frame);
  }

  private settle(tag: number, multiple: boolean): Unacknowledged[] {
    if (!this.unacknowledged.has(tag) && !(multiple && tag === 0)) {
      throw new BrokerRefusal(ReplyCode.preconditionFailed, `PRECONDITION_FAILED - unknown delivery tag ${tag}`);
    }
    const tags = multiple ? [...this.unacknowledged.keys()].filter((held) => tag === 0 || held <= tag) : [tag];
    return tags.map((settled) => {
      const held = this.unacknowledged.get(settled)!;
      this.unacknowledged.delete(settled);
      held.consumer.released();
      return held;
    });
  }
}
