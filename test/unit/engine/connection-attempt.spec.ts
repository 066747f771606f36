import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionAttempt } from '../../../lib/broker/engine/connection/connection-attempt.js';
import type { TransportHost } from '../../../lib/config/transport-url.js';
import { Hosts } from '../../../lib/broker/engine/connection/hosts.js';
import { BrokerRefusal, type Link, type LinkProvider, type LinkRequest } from '../../../lib/broker/link.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface FakeLink {
  destroy: ReturnType<typeof vi.fn<() => void>>;
}

interface Opening {
  host: TransportHost;
  /** In ms since the beginning. */
  atMs: number;
  aborted: boolean;
  greet(): void;
  open(): FakeLink;
  fail(error: Error): void;
}

/** Hosts that say nothing but what a test lets them say. */
function attempting(hostnames: string[]) {
  const openings: Opening[] = [];
  const began = performance.now();
  const open = (host: TransportHost, { signal, onGreeting: greet }: LinkRequest): Promise<Link> =>
    new Promise((resolve, reject) => {
      const link = { destroy: vi.fn<() => void>() };
      const opening: Opening = {
        host,
        atMs: Math.round(performance.now() - began),
        aborted: false,
        greet,
        open: () => (resolve(link as unknown as Link), link),
        fail: reject,
      };
      signal.addEventListener('abort', () => {
        opening.aborted = true;
        reject(signal.reason);
      });
      openings.push(opening);
    });
  const hosts = new Hosts(
    hostnames.map((hostname) => ({ hostname, port: 5672 })),
    'round-robin',
    new Set(),
    () => 0,
  );
  const attempt = new ConnectionAttempt(
    { mayFallSilent: true, labelOf: String, open } satisfies LinkProvider,
    hosts,
    'a client',
  );
  return { attempt, opened: attempt.open(hosts.next()), openings, hosts };
}

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('ConnectionAttempt', () => {
  it('tries a host that says nothing again beside itself, and the first goes on', async () => {
    const { opened, openings } = attempting(['a']);
    await ms(16_000);
    expect(openings.map(({ atMs }) => atMs)).toEqual([0, 1_000, 3_000, 7_000, 12_000]);
    expect(openings.map(({ aborted }) => aborted)).toEqual([false, true, true, true, false]);
    const link = openings[0]!.open();
    await expect(opened).resolves.toMatchObject({ link, host: { hostname: 'a' } });
    expect(openings[4]!.aborted).toBe(true);
    await ms(60_000);
    expect(openings).toHaveLength(5);
  });

  it('takes whichever opens first, and knows that its host is reachable', async () => {
    const { opened, openings, hosts } = attempting(['a']);
    await ms(1_000);
    openings[1]!.open();
    await expect(opened).resolves.toMatchObject({ host: { hostname: 'a' } });
    expect(openings[0]!.aborted).toBe(true);
    expect(hosts.hasOthers).toBe(true);
  });

  it('closes the one that opens in the same moment', async () => {
    const { opened, openings } = attempting(['a']);
    await ms(1_000);
    const [first, second] = openings.map((opening) => opening.open());
    await expect(opened).resolves.toMatchObject({ link: first });
    expect(second!.destroy).toHaveBeenCalledTimes(1);
    expect(first!.destroy).not.toHaveBeenCalled();
  });

  it('goes to another host where there is one', async () => {
    const { opened, openings, hosts } = attempting(['a', 'b']);
    await ms(1_000);
    expect(openings.map(({ host }) => host.hostname)).toEqual(['a', 'b']);
    openings[1]!.open();
    await opened;
    expect(hosts.next().hostname).toBe('b');
  });

  it('leaves a broker alone that has greeted, and is only slow', async () => {
    const { openings } = attempting(['a']);
    openings[0]!.greet();
    await ms(60_000);
    expect(openings).toHaveLength(1);
  });

  it('fails when the first has failed, and those beside it', async () => {
    const { opened, openings } = attempting(['a']);
    await ms(1_000);
    openings[0]!.fail(new Error('no answer'));
    await ms(60_000);
    expect(openings).toHaveLength(2);
    openings[1]!.fail(new Error('another reason'));
    await expect(opened).rejects.toMatchObject({ reason: { message: 'no answer' } });
  });

  it('fails at once when the first does, before there is another', async () => {
    const { opened, openings } = attempting(['a']);
    openings[0]!.fail(new Error('connect ECONNREFUSED'));
    await expect(opened).rejects.toMatchObject({ reason: { message: 'connect ECONNREFUSED' } });
    await ms(60_000);
    expect(openings).toHaveLength(1);
  });

  it('fails at once when one is refused', async () => {
    const { opened, openings } = attempting(['a', 'b']);
    await ms(1_000);
    openings[1]!.fail(new BrokerRefusal(403, 'ACCESS'));
    await expect(opened).rejects.toMatchObject({ host: { hostname: 'b' }, reason: { message: 'ACCESS' } });
    expect(openings[0]!.aborted).toBe(true);
  });

  it('that is ended opens nothing more', async () => {
    const { attempt, opened, openings } = attempting(['a']);
    attempt.abort();
    await expect(opened).rejects.toMatchObject({ reason: { message: 'given up' } });
    await ms(60_000);
    expect(openings.map(({ aborted }) => aborted)).toEqual([true]);
  });
});
