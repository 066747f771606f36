import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { deflateSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { ChannelModel } from 'amqplib';
import { expect, it } from 'vitest';
import { FrameWriter } from '../../../lib/broker/rabbit/frame-writer.js';

interface AmqpFrames {
  encodeMethod(method: number, channel: number, fields: object): Buffer;
  encodeProperties(properties: number, channel: number, size: number, fields: object): Buffer;
  BasicPublish: number;
  BasicAck: number;
  BasicReject: number;
  BasicProperties: number;
}

const require = createRequire(import.meta.url);
/** amqplib's own encoder says what is right. */
const amqp = require(join(dirname(require.resolve('amqplib')), 'lib/defs.js')) as AmqpFrames;
const { encodeMethod, encodeProperties, ...ids } = amqp;

/** What the operating system would get, write by write; it takes `takes` of them at once. */
class RecordedSocket extends EventEmitter {
  readonly writes: Buffer[] = [];
  writable = true;
  writableLength = 0;
  takes = Infinity;
  readonly waiting: ((error?: Error) => void)[] = [];

  write(piece: Buffer | string, written?: (error?: Error) => void): boolean {
    if (piece.length > 0) this.writes.push(Buffer.from(piece as Buffer));
    if (this.writes.length > this.takes) this.writableLength += piece.length;
    if (written) this.waiting.push(written);
    return true;
  }
}

function written(frameMax = 131_072, compression?: 'application/x-gzip') {
  const socket = new RecordedSocket();
  const connection = { stream: socket as unknown as Socket, frameMax, sentSinceLastCheck: false };
  const writer = FrameWriter.of({ connection } as unknown as ChannelModel, compression)!;
  return { connection, socket, writer };
}

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const message = { exchange: 'nova', routingKey: 'conductor', body: '{"é":1}', mandatory: true, expiration: '60000' };

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const start = Buffer.alloc(7);
  start.writeUInt8(type);
  start.writeUInt16BE(channel, 1);
  start.writeUInt32BE(payload.length, 3);
  return Buffer.concat([start, payload, Buffer.of(0xce)]);
}

function expectedOf(
  channel: number,
  { exchange, routingKey, body, mandatory, expiration }: typeof message,
  compression?: string,
): Buffer {
  const fields = { exchange, routingKey, mandatory, immediate: false, ticket: 0 };
  const properties = {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: compression ? { compression } : {},
    deliveryMode: 2,
    priority: 0,
    expiration,
  };
  const content = compression ? deflateSync(body) : Buffer.from(body);
  return Buffer.concat([
    encodeMethod(ids.BasicPublish, channel, fields),
    encodeProperties(ids.BasicProperties, channel, content.length, properties),
    frame(3, channel, content),
  ]);
}

it.each([
  ['a call', message],
  ['a cast', { ...message, expiration: undefined as unknown as string }],
  ['an answer', { ...message, exchange: '', routingKey: 'reply_é', mandatory: false }],
])('writes %s as amqplib does', async (_what, sent) => {
  const { connection, socket, writer } = written();
  expect(writer.publish(258, sent)).toBe(8);
  await nextTick();
  expect(socket.writes).toEqual([expectedOf(258, sent)]);
  expect(connection.sentSinceLastCheck).toBe(true);
});

it('compresses as kombu does, and says so in a header', async () => {
  const { socket, writer } = written(131_072, 'application/x-gzip');
  const long = { ...message, body: JSON.stringify({ text: 'é'.repeat(5_000) }) };
  expect(writer.publish(1, long)).toBeLessThan(500);
  await nextTick();
  expect(socket.writes).toEqual([expectedOf(1, long, 'application/x-gzip')]);
});

it('makes one write of all that one turn writes, in its order', async () => {
  const { socket, writer } = written();
  const others = { ...message, routingKey: 'other', mandatory: false };
  writer.publish(1, message);
  writer.ack(2, 2 ** 32 + 7, true);
  writer.publish(1, others);
  writer.reject(2, 9, false);
  await nextTick();
  writer.publish(1, { ...message, expiration: '10' });
  await nextTick();
  expect(socket.writes).toEqual([
    Buffer.concat([
      expectedOf(1, message),
      encodeMethod(ids.BasicAck, 2, { deliveryTag: 2 ** 32 + 7, multiple: true }),
      expectedOf(1, others),
      encodeMethod(ids.BasicReject, 2, { deliveryTag: 9, requeue: false }),
    ]),
    expectedOf(1, { ...message, expiration: '10' }),
  ]);
});

it('cuts a long body into frames that the broker takes', async () => {
  const { socket, writer } = written(4_096);
  const body = 'é'.repeat(5_000);
  writer.publish(1, { ...message, body });
  await nextTick();
  const [bytes] = socket.writes;
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes!.length; at += frames.at(-1)!.length) {
    frames.push(bytes!.subarray(at, at + 8 + bytes!.readUInt32BE(at + 3)));
  }
  const bodies = frames.slice(2).map((one) => one.subarray(7, -1));
  expect(bodies.map(({ length }) => length)).toEqual([4_088, 4_088, 1_824]);
  expect(Buffer.concat(bodies).toString()).toBe(body);
  expect(frames.every((one) => one.at(-1) === 0xce)).toBe(true);
});

it.each(['\ud800', 'a\udfffb', '😀', '\u0000', ''])('counts the bytes of %j as it writes them', async (body) => {
  const { socket, writer } = written();
  writer.publish(1, { ...message, body });
  writer.publish(1, message);
  await nextTick();
  const [bytes] = socket.writes;
  const first = body === '' ? expectedOf(1, { ...message, body }).subarray(0, -8) : expectedOf(1, { ...message, body });
  expect(bytes).toEqual(Buffer.concat([first, expectedOf(1, message)]));
});

it('a message larger than all that is sent together is followed by others', async () => {
  const { socket, writer } = written();
  const large = { ...message, body: JSON.stringify('x'.repeat(100_000)) };
  for (const one of [message, large, message, large]) writer.publish(1, one);
  await nextTick();
  writer.publish(1, message);
  await nextTick();
  const sent = [message, large, message, large, message].map((one) => expectedOf(1, one));
  expect(Buffer.concat(socket.writes).equals(Buffer.concat(sent))).toBe(true);
});

it('keeps what was sent as it is, however much follows', async () => {
  const { socket, writer } = written();
  const sent = Array.from({ length: 300 }, (_, n) => ({ ...message, body: JSON.stringify('x'.repeat(n * 7)) }));
  for (const one of sent) writer.publish(1, one);
  await nextTick();
  expect(Buffer.concat(socket.writes).equals(Buffer.concat(sent.map((one) => expectedOf(1, one))))).toBe(true);
});

it('a name that AMQP cannot carry is an error, and nothing of it is written', async () => {
  const { socket, writer } = written();
  expect(() => writer.publish(1, { ...message, routingKey: 'é'.repeat(128) })).toThrow('longer than 255 bytes');
  writer.publish(1, message);
  await nextTick();
  expect(socket.writes).toEqual([expectedOf(1, message)]);
});

it('tells at once when the socket has taken it, later when it has not, and last of all when it is gone', async () => {
  const { socket, writer } = written();
  const told: string[] = [];
  writer.ack(1, 1, false);
  writer.whenSent(() => told.push('at once'));
  expect([told, socket.writes.length]).toEqual([['at once'], 1]);

  socket.takes = 1;
  writer.ack(1, 2, false);
  writer.whenSent(() => told.push('later'));
  writer.whenSent(() => told.push('in vain'));
  expect(told).toEqual(['at once']);
  socket.waiting[0]!();
  socket.waiting[1]!(new Error('ECONNRESET'));
  expect(told).toEqual(['at once', 'later']);
  socket.writable = false;
  writer.whenSent(() => told.push('gone'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(['at once', 'later', 'in vain', 'gone']);
});

it.each([{}, { stream: {} }, { stream: new RecordedSocket(), frameMax: 'large', sentSinceLastCheck: true }])(
  'leaves everything to an amqplib that it does not know: %o',
  (connection) => {
    expect(FrameWriter.of({ connection } as unknown as ChannelModel)).toBeUndefined();
  },
);
