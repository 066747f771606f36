import { beforeEach, expect, it } from 'vitest';
import type { Delivery } from '../../../lib/broker/broker.js';
import { Gate, TARGET, useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();
const replyQueue = 'reply_old';
let bodies: Record<string, unknown>[];
let arrived: Gate;

/** Consumes a queue as it comes, to be read by hand. */
async function consume(queue: string): Promise<void> {
  await on()
    .broker()
    .consume({
      topology: [
        { kind: 'exchange', name: 'nova', type: 'topic', durable: false, autoDelete: false },
        { kind: 'queue', name: queue, durable: false, autoDelete: false, arguments: {} },
        { kind: 'binding', queue, exchange: 'nova', routingKey: queue },
      ],
      queues: [queue],
      prefetch: 0,
      onDeliveries: (deliveries: readonly Delivery[]) => {
        for (const delivery of deliveries) {
          delivery.ack();
          bodies.push(JSON.parse(Buffer.from(delivery.body).toString()) as Record<string, unknown>);
        }
        arrived.open();
      },
    });
}

async function received(count: number): Promise<Record<string, unknown>[]> {
  while (bodies.length < count) {
    await arrived.opened;
    arrived = new Gate();
  }
  return bodies;
}

beforeEach(() => {
  bodies = [];
  arrived = new Gate();
});

const call = { method: 'echo', args: { a: 1 }, _msg_id: 'm1', _reply_q: replyQueue };

async function ask(fields: object): Promise<void> {
  const body = JSON.stringify({ ...call, ...fields });
  await on().broker().publish({ exchange: 'nova', routingKey: 'conductor', body });
}

const methods = {
  echo: (args: object) => args,
  nothing: () => null,
  undefined: () => undefined,
  fail: () => Promise.reject(new RangeError('too far')),
};

it('bare messages: an answer without the envelope, a request as well', async () => {
  const broker = on().broker({ legacyBareMessages: true });
  await consume(replyQueue);
  await on()
    .server([{ methods }], {}, { ...TARGET, server: 'host1' }, broker)
    .start();
  await ask({});
  const [answer] = await received(1);
  expect(answer).toMatchObject({ result: { a: 1 }, failure: null, ending: true, _msg_id: 'm1' });
  expect(answer).not.toHaveProperty('oslo.message');

  bodies = [];
  await consume('other');
  const client = on().client({}, { ...TARGET, topic: 'other' }, broker);
  await client.cast('tell', { n: 1 });
  const [request] = await received(1);
  expect(request).toMatchObject({ method: 'tell', args: { n: 1 } });
  expect(request).not.toHaveProperty('oslo.message');
});

it.each([
  ['echo', { result: { a: 1 }, failure: null }],
  ['fail', { result: null, failure: expect.stringContaining('too far') }],
])('two messages for an answer: %s, and then its end', async (method, payload) => {
  await consume(replyQueue);
  await on().serve(methods, { legacyTwoMessageReplies: true });
  await ask({ method });
  const answers = (await received(2)).map((one) => JSON.parse(String(one['oslo.message'])) as object);
  expect(answers).toEqual([
    { ...payload, _msg_id: 'm1', _unique_id: expect.any(String) },
    { result: null, failure: null, ending: true, _msg_id: 'm1', _unique_id: expect.any(String) },
  ]);
  const client = on().client({ timeout: 5 });
  const outcome = client.call(method, { a: 1 });
  if (method === 'fail') await expect(outcome).rejects.toMatchObject({ remoteMessage: 'too far' });
  else expect(await outcome).toEqual(payload.result);
});

it.each(['nothing', 'undefined'])('one message for an answer without a value: %s', async (method) => {
  await consume(replyQueue);
  await on().serve(methods, { legacyTwoMessageReplies: true });
  await ask({ method, _msg_id: 'm0' });
  await ask({ method: 'echo' });
  while (!bodies.some((one) => String(one['oslo.message']).includes('"ending":true,"_msg_id":"m1"'))) {
    await received(bodies.length + 1);
  }
  const answers = bodies.map((one) => JSON.parse(String(one['oslo.message'])) as { _msg_id: string });
  expect(answers.filter(({ _msg_id: id }) => id === 'm0')).toEqual([
    { result: null, failure: null, ending: true, _msg_id: 'm0', _unique_id: expect.any(String) },
  ]);
  expect(await on().client({ timeout: 5 }).call(method)).toBeNull();
});

it('an exchange called as the reply queue, by which old servers answer', async () => {
  const broker = on().broker({ legacyReplyExchange: true });
  await on().serve({ echo: (args: object) => args });
  const client = on().client({ timeout: 5 }, TARGET, broker);
  expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
  await consume('silent');
  const calling = client.prepare({ topic: 'silent' }).call('echo');
  const [request] = await received(1);
  const { _msg_id, _reply_q } = JSON.parse(String(request!['oslo.message'])) as { _msg_id: string; _reply_q: string };
  expect(_reply_q).toBe(client.replyQueue);
  const body = JSON.stringify({ result: 'by its exchange', failure: null, ending: true, _msg_id });
  await on().broker().publish({ exchange: _reply_q, routingKey: _reply_q, mandatory: true, body });
  expect(await calling).toBe('by its exchange');
});
