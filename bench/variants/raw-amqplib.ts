import { randomUUID } from 'node:crypto';
import { connect, type ConfirmChannel, type Options } from 'amqplib';
import type { Caller, Variant } from '../variant.js';

const exchange = 'bench';
const topic = 'bench_raw';
const properties: Options.Publish = { contentType: 'application/json', contentEncoding: 'utf-8', persistent: true };

const open = async (url: string): Promise<ConfirmChannel> =>
  (await connect(url.replace('rabbit://', 'amqp://'), { noDelay: true })).createConfirmChannel();

const seal = (message: object): Buffer =>
  Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) }));

const unseal = <T>(body: Buffer): T =>
  JSON.parse((JSON.parse(body.toString()) as { 'oslo.message': string })['oslo.message']) as T;

/** The same messages on the same exchanges and queues, written as plainly as amqplib allows. */
export const rawAmqplib: Variant = {
  async serve(url) {
    const [inbound, outbound] = [await open(url), await open(url)];
    await inbound.assertExchange(exchange, 'topic', { durable: false });
    await inbound.assertQueue(topic, { durable: false });
    await inbound.bindQueue(topic, exchange, topic);
    await inbound.prefetch(64);
    await inbound.consume(topic, (message) => {
      if (!message) return;
      inbound.ack(message);
      const { args, _msg_id, _reply_q } = unseal<{ args: object; _msg_id: string; _reply_q: string }>(message.content);
      const reply = { result: args, failure: null, ending: true, _msg_id, _unique_id: randomUUID() };
      outbound.publish('', _reply_q, seal(reply), { ...properties, mandatory: true }, () => {});
    });
  },

  async connect(url): Promise<Caller> {
    const [inbound, outbound] = [await open(url), await open(url)];
    const waiting = new Map<string, (result: unknown) => void>();
    const replyQueue = `reply_${randomUUID()}`;
    await outbound.assertExchange(exchange, 'topic', { durable: false });
    await inbound.assertQueue(replyQueue, { durable: false, autoDelete: true });
    await inbound.consume(replyQueue, (message) => {
      if (!message) return;
      inbound.ack(message);
      const { result, _msg_id } = unseal<{ result: unknown; _msg_id: string }>(message.content);
      waiting.get(_msg_id)?.(result);
      waiting.delete(_msg_id);
    });
    return {
      echo: (args) =>
        new Promise((resolve) => {
          const msgId = randomUUID();
          waiting.set(msgId, resolve);
          const request = { method: 'echo', args, _msg_id: msgId, _reply_q: replyQueue, _timeout: null };
          const body = seal({ ...request, _unique_id: randomUUID() });
          outbound.publish(exchange, topic, body, { ...properties, expiration: '60000' }, () => {});
        }),
    };
  },
};
