import { beforeEach, expect, it } from 'vitest';
import type { MessageBroker, OutgoingMessage } from '../../../lib/broker/broker.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { MalformedMessage } from '../../../lib/errors/wire.errors.js';
import { EventChannel } from '../../../lib/events/event-channel.js';
import type { MessagingEvent } from '../../../lib/index.js';
import { ReplySender } from '../../../lib/rpc/server/replies/reply-sender.js';

/** A broker that decides when the test says so. */
let published: { message: OutgoingMessage; take: () => void; refuse: (error: Error) => void }[];
let told: MessagingEvent[];
let sender: ReplySender;

const request = { method: 'work', namespace: 'compute', version: '5.2', requestId: 'req-7' };
const reply = { replyQueue: 'reply_1', msgId: 'm1', ...request, body: '{}', giveUpAt: Infinity };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  published = [];
  told = [];
  const events = new EventChannel();
  events.subscribe((event) => told.push(event));
  const publish = (message: OutgoingMessage): Promise<void> =>
    new Promise((take, refuse) => published.push({ message, take, refuse }));
  const broker = { publish, options: resolveRabbitOptions({ maxInFlightMessages: 2 }), state: 'connected' };
  sender = new ReplySender(broker as unknown as MessageBroker, events);
});

it('an answer that finds no queue after the server has stopped ends there, and is told once', async () => {
  void sender.send(reply);
  sender.close();
  const { owner } = published[0]!.message;
  owner!.routed(false);
  expect(owner!.ended).toBe(true);
  await sender.settled();
  published[0]!.take();
  await turn();
  expect(told).toMatchObject([{ type: 'reply-dropped', ...request, replyQueue: 'reply_1', msgId: 'm1' }]);
  expect(told[0]!.message).toContain('The answer to compute.work 5.2 (req-7) was not delivered to reply_1');
  // Its share of the room was given back once: one more answer fills it.
  void sender.send(reply);
  expect(sender.backlog.hasRoom).toBe(false);
});

it('is not settled before the text in place of a refused one has left', async () => {
  void sender.send(reply, () => ({ body: '"instead"' }));
  const settled = { yet: false };
  void sender.settled().then(() => (settled.yet = true));
  published[0]!.refuse(new MalformedMessage('too large'));
  await turn();
  expect(published.map(({ message }) => message.body)).toEqual(['{}', '"instead"']);
  expect(settled.yet).toBe(false);
  published[1]!.take();
  await turn();
  expect(settled.yet).toBe(true);
  expect(told).toEqual([]);
});

it('keeps nothing of the request when it has left, though the broker may keep the answer', async () => {
  void sender.send(reply, () => ({ body: '"instead"' }));
  published[0]!.take();
  await turn();
  expect(published[0]!.message.owner).toMatchObject({ substitute: undefined });
});
