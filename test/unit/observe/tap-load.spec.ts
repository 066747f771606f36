import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConsumeRequest, Delivery, MessageBroker, Subscription } from '../../../lib/broker/broker.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { EventChannel } from '../../../lib/events/event-channel.js';
import { BusTap, type TapObserver } from '../../../lib/observe/tap/bus-tap.js';
import { CallPairing } from '../../../lib/observe/traffic/call-pairing.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 1024 ** 2;
const BLOCK = 1_000;

/** The seam below a tap: its queue is what the test says that it is. */
class Seam {
  readonly options = resolveRabbitOptions();
  readonly events = new EventChannel();
  readonly state = 'connected';
  inQueue = 0;
  private readonly subscription = { close: () => Promise.resolve() } as Subscription;
  private request: ConsumeRequest | undefined;

  consume(request: ConsumeRequest) {
    this.request = request;
    return Promise.resolve(this.subscription);
  }

  hasExchange = () => Promise.resolve(true);
  inspectQueue = () => Promise.resolve({ messages: this.inQueue, consumers: 1 });
  deleteQueue = () => Promise.resolve();

  deliver(bodies: readonly string[]): void {
    this.request?.onDeliveries(
      bodies.map((body) => deliveryOf(body)),
      this.subscription,
    );
  }
}

function deliveryOf(body: string): Delivery {
  return {
    body: Buffer.from(body),
    exchange: 'nova',
    routingKey: 'conductor',
    queue: 'oslo-bus.tap',
    redelivered: false,
    properties: { headers: {}, contentType: 'application/json' },
    ack: () => undefined,
  } as unknown as Delivery;
}

function callBody(n: number, args: object): string {
  const message = { method: 'ping', args, version: '1.0', _msg_id: `m${n}`, _reply_q: 'reply_1', _unique_id: `u${n}` };
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) });
}

describe('a tap on a bus that is busier than it may read', () => {
  let seam: Seam;
  let tap: BusTap | undefined;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] });
    seam = new Seam();
  });
  afterEach(async () => {
    await tap?.close();
    vi.useRealTimers();
  });

  async function open(observer: TapObserver, maxRate = 500): Promise<BusTap> {
    tap = await BusTap.open(
      seam as unknown as MessageBroker,
      {
        source: 'binding',
        exchanges: ['nova'],
        topics: ['conductor.host1'],
        notificationTopics: [],
        maxRate,
        secrets: 'masked',
      },
      observer,
    );
    return tap;
  }

  it('of 50 000 messages a second it reads 500, and knows of each of the others', async () => {
    let seen = 0;
    const opened = await open({ seen: () => (seen += 1) });
    for (let block = 0; block < 150; block++) {
      seam.deliver(Array.from({ length: BLOCK }, (_, n) => callBody(block * BLOCK + n, {})));
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(opened.counters).toMatchObject({ received: 150_000, droppedAtLeast: 0, interruptions: 0 });
    expect(opened.counters.skipped).toBe(150_000 - seen);
    // Three seconds, and what began in the third.
    expect(seen).toBe(1_500);
  });

  it.each([
    ['long texts', { text: 'x'.repeat(10_000) }],
    ['many small values', { values: Array.from({ length: 2_000 }, (_, n) => n % 10) }],
    ['many small objects', { values: Array.from({ length: 300 }, (_, n) => ({ id: String(n), tags: [{}, {}] })) }],
  ])('what it keeps of calls with %s is bounded', async (_what, args) => {
    const pairing = new CallPairing({}, { bytes: 16 * MIB });
    await open({ seen: (record) => pairing.add(record) }, 100_000);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; pairing.counters.forgotten < 300; n++) seam.deliver([callBody(n, args)]);
    collect();
    const kept = process.memoryUsage().heapUsed - before;
    expect(pairing.pending).toBeGreaterThan(100);
    expect(kept / MIB).toBeLessThan(16);
  });

  it.each([
    ['by its length', 18_500, 'short', 1],
    ['by its bytes', 6_000, 'x'.repeat(10_000), 1],
    ['not', 15_000, 'short', 0],
  ])('says that messages were dropped when its queue is seen full: %s', async (_how, inQueue, text, times) => {
    const told: string[] = [];
    const opened = await open({ seen: () => undefined, missed: () => told.push('missed') });
    seam.deliver([callBody(1, { text })]);
    seam.inQueue = inQueue;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(opened.counters.droppedAtLeast).toBe(times);
    expect(told).toHaveLength(times);
  });

  it('says that it has seen nothing while its connection was lost', async () => {
    const opened = await open({ seen: () => undefined });
    const lost = { type: 'connection-changed', connection: 'consume', from: 'connected', to: 'disconnected' } as const;
    seam.events.emit({ level: 'warn', message: 'lost', ...lost });
    seam.events.emit({ level: 'warn', message: 'refused', ...lost, from: 'connecting' });
    expect(opened.counters.interruptions).toBe(1);
  });
});
