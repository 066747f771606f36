import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectBroker, createBroker, type MessagingEvent } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { ENDINGS, HostileBroker, type HandshakeStep, type Hostility } from '../../support/hostile-broker.js';

const stepBytes: Readonly<Record<HandshakeStep, number>> = { start: 45, tune: 20, 'open-ok': 13 };
const endings = Object.entries(ENDINGS);
const cases = (Object.keys(stepBytes) as HandshakeStep[]).flatMap((after) =>
  endings.map(([name, ending]) => ({ after, name, ending })),
);

let uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeEach(() => {
  uncaught = [];
  process.on('uncaughtExceptionMonitor', note);
});
afterEach(() => void process.off('uncaughtExceptionMonitor', note));

/** A client meets such a broker; resolves when it has noticed, or has opened its connection, and was closed. */
async function meet(hostility: Hostility): Promise<MessagingEvent[]> {
  const hostile = await HostileBroker.start(hostility);
  const broker = createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`, { livenessTimeoutMs: 300 });
  const events: MessagingEvent[] = [];
  broker.events.subscribe((event) => events.push(event));
  if (hostility.connectionName !== undefined) {
    broker.consume({ topology: [], queues: ['q'], prefetch: 1, onDeliveries: () => undefined }).catch(() => undefined);
  }
  await eventually(() => hostile.treated > 0, 'the client has connected');
  const connection = hostility.connectionName ?? 'publish';
  await eventually(
    () =>
      events.some((event) => event.type === 'connection-changed' && event.connection === connection && ended(event)),
    'the client has noticed',
  );
  await broker.close();
  await hostile.close();
  return events;
}

function ended({ to }: { to: string }): boolean {
  return to === 'disconnected' || to === 'connected';
}

describe('a broker that breaks off a handshake', () => {
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

  it('is connected to again', async () => {
    const hostile = await HostileBroker.start({ after: 'open-ok', ending: ENDINGS['close 541']! });
    const broker = createBroker(`rabbit://guest:guest@127.0.0.1:${hostile.port}/`);
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
