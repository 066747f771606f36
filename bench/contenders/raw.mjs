// amqplib alone, in three forms: the least that each kind of messaging costs.
import { randomUUID } from 'node:crypto';
import { connect as dial } from 'amqplib';
import { counter } from './oslo-core.mjs';

const exchange = 'bench';
const topic = process.env.OSLO_BENCH_TOPIC;
const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2 };

const seal = (message) =>
  Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) }));
const unseal = (body) => JSON.parse(JSON.parse(body.toString())['oslo.message']);

/** With `gathered`, everything that amqplib writes in one callback of the event loop leaves in one write. */
async function open(url, gathered) {
  const connection = await dial(url.replace('rabbit://', 'amqp://'), { noDelay: true });
  if (gathered) gather(connection.connection.stream);
  return connection.createConfirmChannel();
}

function gather(socket) {
  const write = socket.write.bind(socket);
  let corked = false;
  const uncork = () => {
    corked = false;
    socket.uncork();
  };
  socket.write = (...args) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
}

/** Acknowledges what has come in a turn of the event loop with one frame. */
function acknowledging(channel, gathered) {
  if (!gathered) return (message) => channel.ack(message);
  let last;
  return (message) => {
    if (!last) queueMicrotask(flush);
    last = message;
  };
  function flush() {
    channel.ack(last, true);
    last = undefined;
  }
}

const nothing = () => undefined;

/** Our messages on our exchanges and queues. */
function oslo(gathered) {
  return {
    async serve(url) {
      const [inbound, outbound] = [await open(url, gathered), await open(url, gathered)];
      const ack = acknowledging(inbound, gathered);
      await inbound.assertExchange(exchange, 'topic', { durable: false });
      await inbound.assertQueue(topic, { durable: false });
      await inbound.bindQueue(topic, exchange, topic);
      await inbound.prefetch(64);
      await inbound.consume(topic, (message) => {
        ack(message);
        const { args, method, _msg_id, _reply_q } = unseal(message.content);
        if (method === 'note') return;
        const reply = { result: args.data, failure: null, ending: true, _msg_id, _unique_id: randomUUID() };
        const body = seal(reply);
        outbound.publish('', _reply_q, body, { ...properties, mandatory: true }, nothing);
      });
      return { listen: (count) => listened(url, gathered, count) };
    },

    async connect(url) {
      const [inbound, outbound] = [await open(url, gathered), await open(url, gathered)];
      const ack = acknowledging(inbound, gathered);
      const waiting = new Map();
      const replyQueue = `reply_${randomUUID()}`;
      await outbound.assertExchange(exchange, 'topic', { durable: false });
      await outbound.assertQueue(`${topic}_notifications.info`, { durable: false });
      await outbound.bindQueue(`${topic}_notifications.info`, exchange, `${topic}_notifications.info`);
      await inbound.assertQueue(replyQueue, { durable: false, autoDelete: true });
      await inbound.consume(replyQueue, (message) => {
        ack(message);
        const { result, _msg_id } = unseal(message.content);
        waiting.get(_msg_id)?.(result);
        waiting.delete(_msg_id);
      });
      const published = (routingKey, body, more) =>
        new Promise((resolve) => outbound.publish(exchange, routingKey, body, { ...properties, ...more }, resolve));
      return {
        call: (args) =>
          new Promise((resolve) => {
            const msgId = randomUUID();
            waiting.set(msgId, resolve);
            const request = { method: 'echo', args, _msg_id: msgId, _reply_q: replyQueue, _timeout: null };
            void published(topic, seal({ ...request, version: '1.0', _unique_id: randomUUID() }), {
              expiration: '60000',
            });
          }),
        cast: (args) => published(topic, seal({ method: 'note', args, version: '1.0', _unique_id: randomUUID() })),
        notify: (payload) => {
          const facts = { message_id: randomUUID(), publisher_id: 'bench.host', event_type: 'bench.event' };
          const timestamp = new Date().toISOString().slice(0, -1).replace('T', ' ');
          const message = { ...facts, priority: 'INFO', payload, timestamp, _unique_id: randomUUID() };
          return published(`${topic}_notifications.info`, seal(message));
        },
      };
    },
  };
}

async function listened(url, gathered, count) {
  const channel = await open(url, gathered);
  const ack = acknowledging(channel, gathered);
  const told = counter(count);
  await channel.prefetch(256);
  await channel.consume(`${topic}_notifications.info`, (message) => {
    unseal(message.content);
    ack(message);
    told.one();
  });
  const result = await told.all;
  await channel.close();
  return result;
}

export const gathered = oslo(true);
export const plain = oslo(false);

/** The fastest that RabbitMQ offers: nothing is declared, acknowledged, confirmed or kept, and one JSON goes each way. */
export const direct = {
  async serve(url) {
    const channel = await open(url, false);
    await channel.assertQueue('bench_direct', { durable: false });
    await channel.consume(
      'bench_direct',
      ({ content, properties: { replyTo, correlationId } }) => {
        const { data } = JSON.parse(content.toString());
        if (replyTo) channel.publish('', replyTo, Buffer.from(JSON.stringify(data)), { correlationId }, nothing);
      },
      { noAck: true },
    );
    return {};
  },

  async connect(url) {
    const channel = await open(url, false);
    const waiting = new Map();
    let last = 0;
    const replyTo = 'amq.rabbitmq.reply-to';
    await channel.consume(
      replyTo,
      ({ content, properties: { correlationId } }) => {
        waiting.get(correlationId)?.(JSON.parse(content.toString()));
        waiting.delete(correlationId);
      },
      { noAck: true },
    );
    const body = (args) => Buffer.from(JSON.stringify(args));
    return {
      call: (args) =>
        new Promise((resolve) => {
          const correlationId = String((last += 1));
          waiting.set(correlationId, resolve);
          channel.publish('', 'bench_direct', body(args), { replyTo, correlationId }, nothing);
        }),
      cast: (args) => new Promise((resolve) => channel.publish('', 'bench_direct', body(args), {}, resolve)),
    };
  },
};
