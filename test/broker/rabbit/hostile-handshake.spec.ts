import { seamOf } from '../../../lib/broker/broker.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectBroker, createBroker, type MessagingEvent } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { ENDINGS, FRAMES, HostileBroker, type HandshakeStep, type Hostility } from '../../support/hostile-broker.js';

/** Hundreds of them on a busy machine take their time; each attempt is given more. */
const PATIENCE_MS = 100_000;
vi.setConfig({ testTimeout: 120_000 });

const stepBytes: Readonly<Record<HandshakeStep, number>> = { nothing: 0, start: 45, tune: 20, 'open-ok': 13 };
const endings = Object.entries(ENDINGS);
const cases = (Object.keys(stepBytes) as HandshakeStep[]).flatMap((after) =>
  endings.map(([name, ending]) => ({ after, name, ending })),
);

const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeAll(() => void process.on('uncaughtExceptionMonitor', note));
afterAll(() => void process.off('uncaughtExceptionMonitor', note));

/** A client meets such a broker; resolves when it has noticed, or has opened its connection, and was closed. */
async function meet(hostility: Hostility): Promise<MessagingEvent[]> {
  const hostile = await HostileBroker.start(hostility);
  const broker = seamOf(createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`, { livenessTimeoutMs: 300 }));
  const events: MessagingEvent[] = [];
  broker.events.subscribe((event) => events.push(event));
  if (hostility.connectionName !== undefined) {
    broker.consume({ topology: [], queues: ['q'], prefetch: 1, onDeliveries: () => undefined }).catch(() => undefined);
  }
  await eventually(() => hostile.treated > 0, 'the client has connected', PATIENCE_MS);
  const connection = hostility.connectionName ?? 'publish';
  await eventually(
    () =>
      events.some((event) => event.type === 'connection-changed' && event.connection === connection && ended(event)),
    'the client has noticed',
    PATIENCE_MS,
  );
  await broker.close();
  await hostile.close();
  return events;
}

function ended({ to }: { to: string }): boolean {
  return to === 'disconnected' || to === 'connected';
}

// Those that say nothing more are given up after a second each.
describe.concurrent('a broker that breaks off a handshake', () => {
  it.each(cases)('after $after with $name, in one write and in two: the process lives', async ({ after, ending }) => {
    const length = stepBytes[after] + ending.length;
    const cuts = [...new Set([1, 6, 7, 11, stepBytes[after] - 1, stepBytes[after], stepBytes[after] + 1, length - 1])];
    await meet({ after, ending });
    await meet({ after, ending, end: true });
    await Promise.all(cuts.flatMap((cut) => [meet({ after, ending, cut }), meet({ after, ending, cut, end: true })]));
    expect(uncaught).toEqual([]);
  });

  it.each(endings)('with %s right behind its open-ok, cut anywhere: the process lives', async (_name, ending) => {
    const cuts = Array.from({ length: stepBytes['open-ok'] + Math.min(ending.length, 24) }, (_, cut) => cut + 1);
    await Promise.all(cuts.map((cut) => meet({ after: 'open-ok', ending, cut })));
    expect(uncaught).toEqual([]);
  });

  it.each(endings)('with %s, only on the connection that consumes: the process lives', async (_name, ending) => {
    const connectionName = 'consume';
    await Promise.all([
      meet({ after: 'open-ok', ending, connectionName }),
      meet({ after: 'open-ok', ending, connectionName, end: true }),
      meet({ after: 'open-ok', ending, connectionName, cut: stepBytes['open-ok'] }),
    ]);
    expect(uncaught).toEqual([]);
  });

  it.each(Object.keys(FRAMES))('with frames in any order, %s first: the process lives', async (first) => {
    const others = Object.values(FRAMES);
    const orders = others.flatMap((second) => others.map((third) => Buffer.concat([FRAMES[first]!, second, third])));
    await Promise.all(orders.map((ending, n) => meet({ after: 'nothing', ending, end: n % 2 === 0 })));
    expect(uncaught).toEqual([]);
  });

  it.each(Object.entries(FRAMES))('with a whole handshake at once and %s behind it, cut anywhere', async (_, frame) => {
    const ending = Buffer.concat([FRAMES['start']!, FRAMES['tune']!, FRAMES['open-ok']!, frame]);
    const cuts = Array.from({ length: ending.length }, (_none, cut) => cut);
    await Promise.all(cuts.map((cut) => meet({ after: 'nothing', ending, cut, end: cut % 2 === 0 })));
    expect(uncaught).toEqual([]);
  });

  it.each(endings.filter(([name]) => name !== 'nothing'))('with %s has ended the connection', async (_, ending) => {
    const hostile = await HostileBroker.start({ after: 'open-ok', ending });
    const broker = seamOf(
      createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`, { livenessTimeoutMs: 60_000 }),
    );
    await eventually(() => hostile.treated > 1, 'the client has connected again');
    await broker.close();
    await hostile.close();
    expect(uncaught).toEqual([]);
  });

  it.each([
    ['close 530', 'is refused: NOT_ALLOWED - vhost gone', 3],
    ['close 541', 'INTERNAL_ERROR', 9],
    ['close 320', 'CONNECTION_FORCED', 9],
  ])('instead of its open-ok, with %s: only a refusal is asked about seldom', async (name, words, most) => {
    const hostile = await HostileBroker.start({ after: 'tune', ending: ENDINGS[name]! });
    const broker = seamOf(createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`));
    await expect(broker.connected(1_500)).rejects.toThrow(words);
    expect(hostile.treated).toBeLessThanOrEqual(most);
    expect(broker.lastFailure).toContain(words);
    await broker.close();
    await hostile.close();
  });

  it('is connected to again', async () => {
    const hostile = await HostileBroker.start({ after: 'open-ok', ending: ENDINGS['close 541']! });
    const broker = seamOf(createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`));
    const events: MessagingEvent[] = [];
    broker.events.subscribe((event) => events.push(event));
    await eventually(() => hostile.treated >= 3);
    expect(events).toContainEqual(
      expect.objectContaining({ to: 'disconnected', message: expect.stringContaining('INTERNAL_ERROR') }),
    );
    await broker.close();
    await hostile.close();
  });

  it('fails a start that is not to wait', async () => {
    const hostile = await HostileBroker.start({ after: 'tune', ending: ENDINGS['close 530']! });
    const url = `rabbit://guest:guest@127.0.0.1:${hostile.port}/`;
    await expect(connectBroker(url, { startupTimeoutMs: 0 })).rejects.toMatchObject({ code: 'OSLO_DELIVERY' });
    await hostile.close();
  });
});
