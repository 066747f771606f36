import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type AmqpMethod, AmqpReader, type AmqpUnit } from './amqp-frames.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

/**
 * What happens to a message: it is forwarded by half and the line is cut; the line is cut instead of
 * forwarding it, or right after; it alone never arrives; it and everything after it hangs.
 */
export type Fault = 'cut-after' | 'cut-before' | 'cut-inside' | 'stall' | 'swallow';

/** The next method that fits is hit; the others pass. */
export interface FaultTrigger {
  from: AmqpMethod['from'];
  method: string;
  when?: (method: AmqpMethod) => boolean;
  fault: Fault;
}

interface ArmedFault extends FaultTrigger {
  struck(method: AmqpMethod): void;
}

/**
 * A line to the broker that writes down what goes over it, and that can break in every way lines do.
 * Point a client at `port` instead of the broker's.
 */
export class AmqpProxy {
  readonly host = '127.0.0.1';
  /** Every method in both directions, in the order seen. */
  readonly methods: AmqpMethod[] = [];
  /** Connections accepted so far. */
  accepted = 0;
  private readonly lines = new Set<ProxiedLine>();
  private faults: ArmedFault[] = [];
  private listener: Server | undefined;
  private listeningPort = 0;
  private stalled = false;
  private delayMs = 0;

  private constructor(private readonly target: { host: string; port: number }) {}

  static async start(target: { host: string; port: number }): Promise<AmqpProxy> {
    const proxy = new AmqpProxy(target);
    proxy.listeningPort = await freePort();
    await proxy.accept();
    return proxy;
  }

  get port(): number {
    return this.listeningPort;
  }

  /** Connections open right now. */
  get open(): number {
    return this.lines.size;
  }

  /** What clients sent; of one or several kinds if named. */
  sent(...kinds: string[]): AmqpMethod[] {
    return this.seen('client', kinds);
  }

  /** What the broker sent. */
  received(...kinds: string[]): AmqpMethod[] {
    return this.seen('broker', kinds);
  }

  /** Forgets what was seen. */
  clear(): void {
    this.methods.length = 0;
  }

  /** The first method seen, before or after this call, that fits. */
  waitFor(
    from: AmqpMethod['from'],
    method: string,
    when: (seen: AmqpMethod) => boolean = () => true,
  ): Promise<AmqpMethod> {
    return eventually(() => this.seen(from, [method]).find((seen) => when(seen)), `${method} from the ${from}`);
  }

  /** Arms a fault; resolves with the method that it hit. */
  strike(trigger: FaultTrigger): Promise<AmqpMethod> {
    return new Promise((struck) => this.faults.push({ ...trigger, struck }));
  }

  /** Cuts all connections; new ones are accepted. */
  drop(): void {
    for (const line of this.lines) line.cut();
  }

  /** Connections stay and accept bytes, but nothing comes out at the other end, not even the end of a connection. */
  stall(): void {
    this.stalled = true;
    this.stallThoseOpen();
  }

  /** The same, but new connections work: the path has changed, and nobody has told the broker. */
  stallThoseOpen(): void {
    for (const line of this.lines) line.stall();
  }

  /** Everything held back arrives. */
  resume(): void {
    this.stalled = false;
    for (const line of this.lines) line.resume();
  }

  /** From now on everything arrives so much later, in each direction. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Nobody listens any more: new connections are refused, those open stay. */
  async refuse(): Promise<void> {
    const { listener } = this;
    this.listener = undefined;
    // Its callback waits for the open connections, which are to stay.
    listener?.close();
    await eventually(() => listener?.listening !== true);
  }

  /** Listens again, on the same port. */
  async accept(): Promise<void> {
    if (this.listener) return;
    const listener = createServer({ noDelay: true }, (client) => this.connected(client));
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(this.listeningPort, this.host, resolve);
    });
    this.listeningPort = (listener.address() as AddressInfo).port;
    this.listener = listener;
  }

  async close(): Promise<void> {
    await this.refuse();
    this.drop();
  }

  private seen(from: AmqpMethod['from'], kinds: string[]): AmqpMethod[] {
    return this.methods.filter((seen) => seen.from === from && (kinds.length === 0 || kinds.includes(seen.method)));
  }

  private connected(client: Socket): void {
    const broker = connect({ ...this.target, noDelay: true });
    const line = new ProxiedLine(client, broker, this.accepted++, {
      observe: (method) => this.observe(method),
      delayMs: () => this.delayMs,
    });
    this.lines.add(line);
    line.onEnd = () => this.lines.delete(line);
    if (this.stalled) line.stall();
  }

  private observe(method: AmqpMethod): Fault | undefined {
    this.methods.push(method);
    const hit = this.faults.find(
      (fault) => fault.from === method.from && fault.method === method.method && (fault.when?.(method) ?? true),
    );
    if (!hit) return undefined;
    this.faults = this.faults.filter((fault) => fault !== hit);
    hit.struck(method);
    return hit.fault;
  }
}

/** One connection through the proxy. */
class ProxiedLine {
  onEnd = (): void => undefined;
  private stalled = false;
  private ended = false;
  private held: [Socket, Buffer][] = [];

  constructor(
    private readonly client: Socket,
    private readonly broker: Socket,
    number: number,
    private readonly proxy: { observe(method: AmqpMethod): Fault | undefined; delayMs(): number },
  ) {
    this.forward(client, broker, new AmqpReader('client', number));
    this.forward(broker, client, new AmqpReader('broker', number));
  }

  stall(): void {
    this.stalled = true;
  }

  resume(): void {
    this.stalled = false;
    // Together, as what was held up on a real line arrives.
    for (const to of [this.client, this.broker]) to.cork();
    for (const [to, bytes] of this.held.splice(0)) this.deliver(to, bytes);
    for (const to of [this.client, this.broker]) to.uncork();
    if (this.ended) this.cut();
  }

  cut(): void {
    this.client.destroy();
    this.broker.destroy();
    this.onEnd();
  }

  private forward(from: Socket, to: Socket, reader: AmqpReader): void {
    from.on('data', (chunk) => {
      for (const unit of reader.read(chunk)) {
        if (from.destroyed) return;
        this.pass(unit, to);
      }
    });
    from.on('error', () => undefined);
    from.once('close', () => {
      this.ended = true;
      if (!this.stalled) setImmediate(() => this.cut());
    });
  }

  private pass({ bytes, method }: AmqpUnit, to: Socket): void {
    const fault = method && this.proxy.observe(method);
    if (fault === 'swallow') return;
    if (fault === 'cut-before') return this.cut();
    if (fault === 'stall') this.stall();
    const whole = Buffer.concat(bytes);
    if (fault === 'cut-inside') return this.lastWords(to, whole.subarray(0, whole.length >> 1));
    if (fault === 'cut-after') return this.lastWords(to, whole);
    this.write(to, whole);
  }

  private write(to: Socket, bytes: Buffer): void {
    const delayMs = this.proxy.delayMs();
    if (delayMs > 0) setTimeout(() => this.deliver(to, bytes), delayMs);
    else this.deliver(to, bytes);
  }

  private deliver(to: Socket, bytes: Buffer): void {
    if (this.stalled) this.held.push([to, bytes]);
    else if (!to.destroyed) to.write(bytes);
  }

  private lastWords(to: Socket, bytes: Buffer): void {
    to.write(bytes, () => this.cut());
  }
}
