import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type AmqpMethod, AmqpReader } from './amqp-frames.js';

/** How a broker answers a request by closing the connection. */
export interface ConnectionClose {
  code: number;
  text: string;
}

/** The words of RabbitMQ 4.3, which come with a line break and cut at 255 bytes. */
const DEPRECATED = (
  'INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, this feature is not permitted anymore.\n' +
  'The feature will be removed from a future major RabbitMQ version, regardless of the configuration.'
).slice(0, 255);

/** RabbitMQ 4.3 denies queues that are neither durable nor exclusive. */
export function asRabbit43({ method, fields }: AmqpMethod): ConnectionClose | undefined {
  const isDenied = method === 'QueueDeclare' && !fields.durable && !fields.exclusive && !fields.passive;
  return isDenied ? { code: 541, text: DEPRECATED } : undefined;
}

/** A RabbitMQ in front of another one, which closes the connection over requests that it does not like. */
export class RefusingProxy {
  /** Requests it has refused. */
  readonly refused: AmqpMethod[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
    private readonly dislikes: (request: AmqpMethod) => ConnectionClose | undefined,
  ) {
    server.on('connection', (client) => this.pass(client));
  }

  static async start(
    target: { host: string; port: number },
    dislikes: (request: AmqpMethod) => ConnectionClose | undefined,
  ): Promise<RefusingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return new RefusingProxy(server, target, dislikes);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get open(): number {
    return [...this.sockets].filter(({ destroyed }) => !destroyed).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => void this.server.close(resolve));
  }

  private pass(client: Socket): void {
    const broker = connect(this.target.port, this.target.host);
    this.sockets.add(client);
    const reader = new AmqpReader('client', 0);
    let refuses = false;
    broker.on('data', (bytes) => refuses || client.write(bytes));
    client.on('data', (bytes) => {
      for (const unit of refuses ? [] : reader.read(bytes)) {
        const close = unit.method && this.dislikes(unit.method);
        if (close) {
          refuses = true;
          this.refused.push(unit.method!);
          client.end(closeFrame(close));
          broker.destroy();
          return;
        }
        for (const frame of unit.bytes) broker.write(frame);
      }
    });
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => refuses || other.destroy());
    }
  }
}

/** `connection.close`, class 10, method 50. */
function closeFrame({ code, text }: ConnectionClose): Buffer {
  const words = Buffer.from(text);
  const payload = Buffer.alloc(11 + words.length);
  payload.writeUInt16BE(10, 0);
  payload.writeUInt16BE(50, 2);
  payload.writeUInt16BE(code, 4);
  payload[6] = words.length;
  words.copy(payload, 7);
  const frame = Buffer.alloc(payload.length + 8);
  frame[0] = 1;
  frame.writeUInt32BE(payload.length, 3);
  payload.copy(frame, 7);
  frame[frame.length - 1] = 0xce;
  return frame;
}
