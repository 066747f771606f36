import type { Socket } from 'node:net';
import type { Channel, ChannelModel } from 'amqplib';
import type { LinkMessage } from '../link.js';
import { compressed, type Compression } from './dialect.js';

/** The parts of amqplib's connection that are used here; its types tell of none. */
interface AmqpConnection {
  readonly stream: Socket;
  readonly frameMax: number;
  /** No heartbeat is due after something was sent. */
  sentSinceLastCheck: boolean;
}

/** And of its channels. */
interface AmqpChannel {
  readonly ch: number;
  /** Callbacks of what is not confirmed, in the order in which it was written. */
  readonly unconfirmed: ((error: unknown) => void)[] | undefined;
}

const frameEnd = 0xce;
const [methodFrame, headerFrame, bodyFrame] = [1, 2, 3];
/** Type, channel and size before its payload; the end behind it. */
const frameOverhead = 8;
const basic = 60;
const [publishMethod, ackMethod, rejectMethod] = [40, 80, 90];
/** Of the properties that we write: content type and encoding, headers, delivery mode, priority. */
const properties = 0x8000 | 0x4000 | 0x2000 | 0x1000 | 0x0800;
const expirationProperty = 0x0100;
const longestNameBytes = 255;
/** Of memory that is written to and sent piece by piece. */
const chunkBytes = 65_536;
const rememberedRoutes = 1_000;
const nothing = Buffer.alloc(0);

/** The frames of a message before its body, to be copied. */
interface Head {
  readonly mandatory: boolean;
  readonly expiration: string | undefined;
  readonly bytes: Buffer;
  /** Where the size of the body stands. */
  readonly sizeAt: number;
}

/**
 * Writes the frames that every message needs past amqplib, which makes several buffers of each and passes them through two
 * streams: more than half of what a small message costs. All that is written in one turn of the event loop leaves together.
 *
 * Confirms, answers and everything that is rare stay amqplib's. Its frames leave a turn later: what is written here
 * comes before them.
 */
export class FrameWriter {
  private readonly heads = new Map<string, Map<string, Head>>();
  private headCount = 0;
  private chunk = nothing;
  /** What lies between them is to be sent. */
  private from = 0;
  private to = 0;

  private constructor(
    private readonly connection: AmqpConnection,
    private readonly compression: Compression | undefined,
  ) {}

  /** Undefined where amqplib is not as it was when this was written: it does everything then. */
  static of(model: ChannelModel, compression?: Compression): FrameWriter | undefined {
    const connection = model.connection as unknown as Partial<AmqpConnection>;
    const isKnown =
      typeof connection.stream?.write === 'function' &&
      Number.isInteger(connection.frameMax) &&
      typeof connection.sentSinceLastCheck === 'boolean';
    return isKnown ? new FrameWriter(connection as AmqpConnection, compression) : undefined;
  }

  /** The number of a channel, and its list of callbacks when it has confirms; undefined where amqplib has changed. */
  static channelOf(channel: Channel): AmqpChannel | undefined {
    const { ch, unconfirmed } = channel as unknown as Partial<AmqpChannel>;
    const isKnown = Number.isInteger(ch) && (unconfirmed === undefined || Array.isArray(unconfirmed));
    return isKnown ? { ch: ch!, unconfirmed } : undefined;
  }

  /** Returns the size of the body. @throws Error a name that AMQP cannot carry */
  publish(channel: number, { exchange, routingKey, body, mandatory, expiration }: LinkMessage): number {
    const content = this.compression && compressed(body);
    const size = content?.length ?? Buffer.byteLength(body);
    const { bytes, sizeAt } = this.headOf(exchange, routingKey, mandatory, expiration);
    const longest = this.connection.frameMax - frameOverhead;
    const frames = this.connection.frameMax === 0 ? Math.min(size, 1) : Math.ceil(size / longest);
    const at = this.reserve(bytes.length + size + frames * frameOverhead);
    const { chunk } = this;
    bytes.copy(chunk, at);
    chunk.writeUInt16BE(channel, at + 1);
    chunk.writeUInt16BE(channel, at + sizeAt - headerToSize + 1);
    chunk.writeUInt32BE(size, at + sizeAt + 4);
    const bodyAt = at + bytes.length;
    if (frames === 1) {
      const payloadAt = this.beginFrame(bodyFrame, channel, size, bodyAt);
      if (content) content.copy(chunk, payloadAt);
      else chunk.write(body, payloadAt);
      chunk[bodyAt + size + frameOverhead - 1] = frameEnd;
    } else if (frames > 1) {
      this.writeBody(channel, content ?? Buffer.from(body), longest, bodyAt);
    }
    return size;
  }

  ack(channel: number, deliveryTag: number, multiple: boolean): void {
    this.settle(channel, ackMethod, deliveryTag, multiple);
  }

  reject(channel: number, deliveryTag: number, requeue: boolean): void {
    this.settle(channel, rejectMethod, deliveryTag, requeue);
  }

  /** Sends what was written so far, and calls back when it has left this process: at once where the socket takes it. */
  whenSent(told: () => void): void {
    this.flush();
    const { stream } = this.connection;
    // Nothing leaves any more: whoever is told hears first that the connection is gone.
    const inVain = (): void => void setImmediate(told);
    if (!stream.writable) inVain();
    else if (stream.writableLength === 0) told();
    else stream.write('', (error) => (error ? inVain() : told()));
  }

  private settle(channel: number, method: number, deliveryTag: number, flag: boolean): void {
    const size = 4 + 8 + 1;
    const at = this.beginFrame(methodFrame, channel, size, this.reserve(size + frameOverhead));
    const { chunk } = this;
    chunk.writeUInt16BE(basic, at);
    chunk.writeUInt16BE(method, at + 2);
    chunk.writeUInt32BE(Math.floor(deliveryTag / 2 ** 32), at + 4);
    chunk.writeUInt32BE(deliveryTag % 2 ** 32, at + 8);
    chunk[at + 12] = flag ? 1 : 0;
    chunk[at + 13] = frameEnd;
  }

  /** Returns where its payload begins. */
  private beginFrame(type: number, channel: number, size: number, at: number): number {
    const { chunk } = this;
    chunk[at] = type;
    chunk.writeUInt16BE(channel, at + 1);
    chunk.writeUInt32BE(size, at + 3);
    return at + 7;
  }

  private writeBody(channel: number, body: Buffer, longest: number, at: number): void {
    for (let from = 0; from < body.length; from += longest) {
      const size = Math.min(longest, body.length - from);
      const payload = this.beginFrame(bodyFrame, channel, size, at);
      body.copy(this.chunk, payload, from, from + size);
      this.chunk[payload + size] = frameEnd;
      at = payload + size + 1;
    }
  }

  /** Room for so many bytes in one piece of `chunk`, to be filled at once; returns where it begins. */
  private reserve(bytes: number): number {
    if (this.chunk.length - this.to < bytes) {
      this.flush();
      this.chunk = Buffer.allocUnsafeSlow(Math.max(bytes, chunkBytes));
      this.from = this.to = 0;
    }
    if (this.from === this.to) process.nextTick(flush, this);
    const at = this.to;
    this.to += bytes;
    return at;
  }

  /** What is sent stays as it is until the socket has it: the next piece of the chunk is used then. */
  flush(): void {
    if (this.from === this.to) return;
    const piece = this.chunk.subarray(this.from, this.to);
    // One that a large message was given is not kept.
    if (this.chunk.length > chunkBytes) this.chunk = nothing;
    this.from = this.to;
    const { stream } = this.connection;
    if (!stream.writable) return;
    this.connection.sentSinceLastCheck = true;
    stream.write(piece);
  }

  private headOf(exchange: string, routingKey: string, mandatory: boolean, expiration: string | undefined): Head {
    const ofExchange = this.heads.get(exchange);
    const known = ofExchange?.get(routingKey);
    if (known && known.mandatory === mandatory && known.expiration === expiration) return known;
    const head = headFrames(exchange, routingKey, mandatory, expiration, this.compression);
    if (ofExchange) ofExchange.set(routingKey, head);
    else this.heads.set(exchange, new Map([[routingKey, head]]));
    if (!known) this.headCount += 1;
    if (this.headCount > rememberedRoutes) this.forgetHeads();
    return head;
  }

  private forgetHeads(): void {
    this.heads.clear();
    this.headCount = 0;
  }
}

function flush(writer: FrameWriter): void {
  writer.flush();
}

/** From the beginning of the header frame to the size of the body in it. */
const headerToSize = 7 + 4;

function headFrames(
  exchange: string,
  routingKey: string,
  mandatory: boolean,
  expiration: string | undefined,
  compression: Compression | undefined,
): Head {
  const method = Buffer.concat([
    uint16(basic),
    uint16(publishMethod),
    uint16(0),
    shortString('exchange', exchange),
    shortString('routing key', routingKey),
    Buffer.of(mandatory ? 1 : 0),
  ]);
  const header = Buffer.concat([
    uint16(basic),
    uint16(0),
    // The size of the body.
    Buffer.alloc(8),
    uint16(expiration === undefined ? properties : properties | expirationProperty),
    shortString('content type', 'application/json'),
    shortString('content encoding', 'utf-8'),
    headersTable(compression),
    // Persistent, priority 0.
    Buffer.of(2, 0),
    ...(expiration === undefined ? [] : [shortString('expiration', expiration)]),
  ]);
  const bytes = Buffer.concat([frame(methodFrame, method), frame(headerFrame, header)]);
  return { mandatory, expiration, bytes, sizeAt: method.length + frameOverhead + headerToSize };
}

function headersTable(compression: Compression | undefined): Buffer {
  if (!compression) return Buffer.of(0, 0, 0, 0);
  const value = Buffer.concat([Buffer.from('S'), uint32(compression.length), Buffer.from(compression)]);
  const entry = Buffer.concat([shortString('header', 'compression'), value]);
  return Buffer.concat([uint32(entry.length), entry]);
}

function frame(type: number, payload: Buffer): Buffer {
  const start = Buffer.alloc(7);
  start[0] = type;
  start.writeUInt32BE(payload.length, 3);
  return Buffer.concat([start, payload, Buffer.of(frameEnd)]);
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function shortString(what: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > longestNameBytes)
    throw new Error(`The ${what} '${text}' is longer than ${longestNameBytes} bytes`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
