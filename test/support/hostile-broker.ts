import { createServer, type Server, type Socket } from 'node:net';

const u8 = (n: number): Buffer => Buffer.from([n]);
const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n >>> 0);
  return bytes;
}
const short = (text: string): Buffer => Buffer.concat([u8(text.length), Buffer.from(text)]);
const long = (text: string): Buffer => Buffer.concat([u32(text.length), Buffer.from(text)]);

function frame(type: number, channel: number, body: Buffer): Buffer {
  return Buffer.concat([u8(type), u16(channel), u32(body.length), body, u8(206)]);
}

function method(channel: number, classId: number, id: number, ...fields: Buffer[]): Buffer {
  return frame(1, channel, Buffer.concat([u16(classId), u16(id), ...fields]));
}

function close(code: number, text: string): Buffer {
  return method(0, 10, 50, u16(code), short(text), u16(0), u16(0));
}

const START = method(0, 10, 10, u8(0), u8(9), u32(0), long('PLAIN AMQPLAIN'), long('en_US'));
const TUNE = method(0, 10, 30, u16(2047), u32(131_072), u16(60));
const OPEN_OK = method(0, 10, 41, short(''));

/** The steps of a broker in a handshake, written as the AMQP specification has them; `nothing`: before the first. */
export type HandshakeStep = 'nothing' | 'open-ok' | 'start' | 'tune';
const STEPS: Readonly<Record<HandshakeStep, Buffer>> = {
  nothing: Buffer.alloc(0),
  start: START,
  tune: TUNE,
  'open-ok': OPEN_OK,
};

/** Frames that are well made, in whatever order they come. */
export const FRAMES: Readonly<Record<string, Buffer>> = {
  start: START,
  tune: TUNE,
  'open-ok': OPEN_OK,
  secure: method(0, 10, 20, long('?')),
  close: close(403, 'ACCESS_REFUSED - Login was refused'),
  'close-ok': method(0, 10, 51),
  blocked: method(0, 10, 60, short('memory')),
  'channel close': method(1, 20, 40, u16(404), short('NOT_FOUND'), u16(0), u16(0)),
  header: frame(2, 0, Buffer.concat([u16(60), Buffer.alloc(12)])),
  body: frame(3, 0, Buffer.from('body')),
  heartbeat: frame(8, 0, Buffer.alloc(0)),
};

/** What a broker, a proxy or a load balancer may say next. */
export const ENDINGS: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  'close 320': close(320, 'CONNECTION_FORCED - broker forced connection closure'),
  'close 541': close(541, 'INTERNAL_ERROR'),
  'close 530': close(530, 'NOT_ALLOWED - vhost gone'),
  'close 506': close(506, 'RESOURCE_ERROR - too many'),
  garbage: Buffer.from('this is no AMQP frame, not at all, not even a little bit'),
  'a bad end of frame': Buffer.concat([method(0, 10, 61).subarray(0, -1), u8(0)]),
  'an unknown method': method(0, 99, 99),
  'an unknown frame type': frame(9, 0, Buffer.from('?')),
  'a frame on an unknown channel': method(7, 20, 41, u16(312), short('x'), u16(0), u16(0)),
  'a content header on channel 0': frame(2, 0, Buffer.alloc(14)),
  'a method without fields': frame(1, 0, u16(10)),
  'an empty frame': frame(1, 0, Buffer.alloc(0)),
  'a huge frame': Buffer.concat([u8(1), u16(0), u32(0x7fffffff)]),
  'another start': START,
  'a blocked and a close': Buffer.concat([method(0, 10, 60, short('memory')), close(501, 'FRAME_ERROR')]),
};

export interface Hostility {
  /** Up to and with which step it plays by the rules. */
  after: HandshakeStep;
  ending: Buffer;
  /** Where the last step and the ending are cut into two writes; absent: one write. */
  cut?: number;
  /** The socket ends in the same breath. */
  end?: boolean;
  /** Who is treated so: connections whose client names them so; others are opened, and hear nothing more. */
  connectionName?: string;
}

/** A broker that plays a handshake to some step, and then says something else. */
export class HostileBroker {
  /** How many connections it has treated so. */
  treated = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(hostility: Hostility): Promise<HostileBroker> {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const broker = new HostileBroker(server, port);
    server.on('connection', (socket) => broker.play(socket, hostility));
    return broker;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => void this.server.close(resolve));
  }

  private play(socket: Socket, hostility: Hostility): void {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    let received: Buffer = Buffer.alloc(0);
    let name = '';
    let greeted = false;
    const say = (step: HandshakeStep): void => {
      const isTreated = hostility.connectionName === undefined || name.includes(hostility.connectionName);
      if (step !== hostility.after || !isTreated) return void socket.write(STEPS[step]);
      this.treated += 1;
      void this.treat(socket, Buffer.concat([STEPS[step], hostility.ending]), hostility);
    };
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (!greeted && received.length >= 8) {
        greeted = true;
        received = received.subarray(8);
        say('nothing');
        if (hostility.after !== 'nothing') say('start');
      }
      if (!greeted) return;
      while (received.length >= 8) {
        const length = received.readUInt32BE(3) + 8;
        if (received.length < length) return;
        const id = received.readUInt16BE(9);
        if (received.readUInt16BE(7) === 10) {
          if (id === 11) name = received.toString('latin1', 0, length);
          if (id === 11) say('tune');
          if (id === 40) say('open-ok');
          if (id === 50) socket.end(method(0, 10, 51));
          if (id === 51) socket.end();
        }
        received = received.subarray(length);
      }
    });
  }

  private async treat(socket: Socket, bytes: Buffer, { cut, end }: Hostility): Promise<void> {
    if (cut !== undefined) {
      socket.write(bytes.subarray(0, cut));
      // Two packets: the other end has read the first.
      await new Promise((resolve) => void setTimeout(resolve, 2));
    }
    const last = bytes.subarray(cut ?? 0);
    if (end) socket.end(last);
    else socket.write(last);
  }
}
