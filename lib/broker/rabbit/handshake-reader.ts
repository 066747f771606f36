import type { Socket } from 'node:net';

const headerBytes = 7;
/** Header and end mark of a frame. */
const overheadBytes = 8;
/** No frame of a handshake is larger. */
const largestBytes = 131_072;
const methodFrame = 1;
/** `connection.open-ok`, the last frame of a handshake: class 10, method 41. */
const openOk = 10 * 65_536 + 41;
const connectionClose = 10 * 65_536 + 50;
const methodIdEnd = headerBytes + 4;
/** The first byte of an alert; no AMQP frame begins so. */
const tlsAlert = 0x15;

/** Why a broker has broken a handshake off, in its own words. */
export interface HandshakeClose {
  code: number;
  text: string;
}

/**
 * Hands amqplib what a broker says, frame by frame up to the end of the handshake, and nothing behind it before `release`.
 *
 * amqplib reads on at once, before anybody can listen to the connection: a close, garbage or anything else that comes in
 * one read with `open-ok` would be an 'error' that nobody hears, which ends the process.
 */
export class HandshakeReader {
  private readonly read: () => Buffer | null;
  private rest: Buffer = Buffer.alloc(0);
  /** `opening`: the last frame is handed over; `held`: it was, and what is behind it waits. */
  private state: 'ended' | 'held' | 'opening' | 'reading' | 'released' = 'reading';
  private close: HandshakeClose | undefined;
  private greeting: number | undefined;

  /** `onGreeting`: the first byte has come. */
  constructor(
    private readonly socket: Socket,
    private readonly onGreeting: () => void,
  ) {
    this.read = socket.read.bind(socket);
    socket.read = () => this.next();
    const end = (): void => this.end();
    for (const event of ['end', 'error', 'close']) socket.prependOnceListener(event, end);
  }

  /** amqplib keeps it to itself where it comes instead of `open-ok`. */
  get closedWith(): HandshakeClose | undefined {
    return this.close;
  }

  /** True when what greeted us was an alert of TLS, which such a port answers to everything else. */
  get metTls(): boolean {
    return this.greeting === tlsAlert;
  }

  /** Somebody listens now. */
  release(): void {
    if (this.state !== 'held') return;
    this.state = 'released';
    // The prototype's own again.
    delete (this.socket as Partial<Socket>).read;
    if (this.rest.length > 0) this.socket.unshift(this.rest);
    this.socket.emit('readable');
  }

  /** A socket that ends in the middle of a handshake has failed, whatever has come. */
  private end(): void {
    if (this.state === 'reading' || this.state === 'opening') this.state = 'ended';
  }

  private next(): Buffer | null {
    if (this.state === 'held' || this.state === 'ended') return null;
    const bytes = this.read();
    if (bytes) this.take(bytes);
    const length = this.frameLength();
    if (length === undefined || this.rest.length < length) return null;
    const method = this.method();
    if (method === openOk && this.state === 'reading') return this.openLater();
    const frame = this.rest.subarray(0, length);
    if (method === connectionClose) this.close = closeIn(frame);
    if (this.state === 'opening') this.state = 'held';
    this.rest = this.rest.subarray(length);
    return frame;
  }

  private take(bytes: Buffer): void {
    if (this.greeting === undefined) this.onGreeting();
    this.greeting ??= bytes[0];
    this.rest = Buffer.concat([this.rest, bytes]);
  }

  /**
   * In a microtask, all that awaits the connection runs before Node tells of the socket's end, which may have come in the
   * same read.
   */
  private openLater(): null {
    this.state = 'opening';
    queueMicrotask(() => {
      if (this.state === 'opening') this.socket.emit('readable');
    });
    return null;
  }

  /** Of the first frame, with its overhead; what cannot be one is left to amqplib, all of it. */
  private frameLength(): number | undefined {
    if (this.rest.length < headerBytes) return undefined;
    const bytes = this.rest.readUInt32BE(3);
    return bytes > largestBytes ? this.rest.length : bytes + overheadBytes;
  }

  private method(): number | undefined {
    if (this.rest.length < methodIdEnd || this.rest[0] !== methodFrame) return undefined;
    return this.rest.readUInt32BE(headerBytes);
  }
}

function closeIn(frame: Buffer): HandshakeClose | undefined {
  const textAt = methodIdEnd + 3;
  if (frame.length <= textAt) return undefined;
  const text = frame.toString('utf8', textAt, textAt + frame[textAt - 1]!);
  return { code: frame.readUInt16BE(methodIdEnd), text };
}
