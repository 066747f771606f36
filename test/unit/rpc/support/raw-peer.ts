import { randomUUID } from 'node:crypto';
import type { MessageBroker as Broker } from '../../../../lib/broker/broker.js';
import type { Declaration } from '../../../../lib/wire/topology.js';
import type { Delivery, OutgoingMessage } from '../../../../lib/broker/broker.js';

export type RawMessage = Record<string, unknown>;

/** What a peer of ours received, read without any of our own wire code. */
export interface RawDelivery {
  message: RawMessage;
  envelope: RawMessage;
  exchange: string;
  routingKey: string;
  expirationMs?: number;
}

/** The envelope as Python writes it. */
export function sealed(message: unknown): string {
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) });
}

function readOrError({ body, exchange, routingKey, properties }: Delivery): Error | RawDelivery {
  const text = new TextDecoder().decode(body);
  try {
    const envelope = JSON.parse(text) as RawMessage;
    const message = JSON.parse(String(envelope['oslo.message'])) as RawMessage;
    return { message, envelope, exchange, routingKey, expirationMs: properties.expirationMs };
  } catch (cause) {
    return new Error(`a body that is no sealed message came by '${routingKey}': ${text}`, { cause });
  }
}

function orThrow(received: Error | RawDelivery): RawDelivery {
  if (received instanceof Error) throw received;
  return received;
}

/** A peer that writes and reads bodies by hand, so that our client and server are not tested against each other. */
export class RawPeer {
  readonly replyQueue = 'reply_0123456789abcdef0123456789abcdef';
  /** In order; an error stands for what could not be read. */
  private readonly received: (Error | RawDelivery)[] = [];
  private readonly waiters: (() => void)[] = [];

  constructor(readonly broker: Broker) {}

  /** Consumes the queue of a topic as a Python server does, acknowledging at once. */
  async serve(topic = 'conductor', exchange = 'nova'): Promise<void> {
    await this.consume(topic, [
      { kind: 'exchange', name: exchange, type: 'topic', durable: false, autoDelete: false },
      { kind: 'queue', name: topic, durable: false, autoDelete: false, arguments: {} },
      { kind: 'binding', queue: topic, exchange, routingKey: topic },
    ]);
  }

  /** Declares and consumes a reply queue as a Python client does. */
  async listenForReplies(): Promise<void> {
    const arguments_ = { 'x-expires': 1_800_000 };
    await this.consume(this.replyQueue, [
      { kind: 'queue', name: this.replyQueue, durable: false, autoDelete: false, arguments: arguments_ },
    ]);
  }

  async loseReplyQueue(): Promise<void> {
    await this.broker.deleteQueue(this.replyQueue);
  }

  /** What came, in order; waits for it. @throws Error what came could not be read */
  async next(): Promise<RawDelivery> {
    while (this.received.length === 0) await new Promise<void>((resolve) => this.waiters.push(resolve));
    return orThrow(this.received.shift()!);
  }

  /** What came and was not taken yet. @throws Error some of it could not be read */
  get waiting(): readonly RawDelivery[] {
    return this.received.map(orThrow);
  }

  publish(body: string, where: Partial<OutgoingMessage> = {}): Promise<void> {
    return this.broker.publish({ exchange: 'nova', routingKey: 'conductor', mandatory: true, ...where, body });
  }

  /** A request with the keys of a Python cast. */
  cast(method: string, fields: RawMessage = {}, where: Partial<OutgoingMessage> = {}): Promise<void> {
    return this.publish(sealed({ method, args: {}, _unique_id: this.newId(), ...fields }), where);
  }

  /** A request with the keys of a Python call; resolves to its `_msg_id`. */
  async call(method: string, fields: RawMessage = {}, where: Partial<OutgoingMessage> = {}): Promise<string> {
    const msgId = this.newId();
    const call = { _msg_id: msgId, _reply_q: this.replyQueue, _timeout: null };
    await this.cast(method, { ...call, ...fields }, where);
    return msgId;
  }

  /** The reply to a call, and its failure's parts. */
  async ask(method: string, fields: RawMessage = {}): Promise<RawMessage> {
    const msgId = await this.call(method, fields);
    const { message } = await this.next();
    if (message['_msg_id'] !== msgId) throw new Error(`a reply to ${String(message['_msg_id'])} came first`);
    return message;
  }

  async askForFailure(method: string, fields: RawMessage = {}): Promise<RawMessage> {
    const { failure } = await this.ask(method, fields);
    if (typeof failure !== 'string') throw new Error(`${method} did not fail`);
    return JSON.parse(failure) as RawMessage;
  }

  /** Answers a request that came in with what a Python server writes. */
  answer({ message }: RawDelivery, fields: RawMessage = {}): Promise<void> {
    const reply = { result: null, failure: null, ending: true, _msg_id: message['_msg_id'], _unique_id: this.newId() };
    const routingKey = String(message['_reply_q']);
    return this.publish(sealed({ ...reply, ...fields }), { exchange: '', routingKey });
  }

  private async consume(queue: string, topology: readonly Declaration[]): Promise<void> {
    await this.broker.consume({
      topology,
      queues: [queue],
      prefetch: 0,
      onDeliveries: (deliveries, subscription) => {
        this.take(deliveries);
        subscription.flush();
      },
    });
  }

  private take(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.received.push(readOrError(delivery));
      delivery.ack();
    }
    for (const wake of this.waiters.splice(0)) wake();
  }

  private newId(): string {
    return randomUUID().replaceAll('-', '');
  }
}
