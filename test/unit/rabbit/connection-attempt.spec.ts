import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionAttempt } from '../../../lib/broker/rabbit/connection-attempt.js';
import { type ConnectionOpener, ConnectionRefused } from '../../../lib/broker/rabbit/connection-opener.js';
import { type BrokerHost, HostRotation } from '../../../lib/broker/rabbit/host-rotation.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Opening {
  host: BrokerHost;
  /** In ms since the beginning. */
  atMs: number;
  aborted: boolean;
  greet(): void;
  open(): EventEmitter;
  fail(error: Error): void;
}

/** Hosts that say nothing but what a test lets them say. */
function attempting(hostnames: string[]) {
  const openings: Opening[] = [];
  const began = performance.now();
  const open = (host: BrokerHost, abort: AbortController, greet: () => void): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const model = Object.assign(new EventEmitter(), { connection: { stream: new PassThrough() } });
      const opening: Opening = {
        host,
        atMs: Math.round(performance.now() - began),
        aborted: false,
        greet,
        open: () => (resolve(model), model),
        fail: reject,
      };
      abort.signal.addEventListener('abort', () => {
        opening.aborted = true;
        reject(abort.signal.reason);
      });
      openings.push(opening);
    });
  const hosts = new HostRotation(
    hostnames.map((hostname) => ({ hostname, port: 5672 })),
    'round-robin',
    new Set(),
    () => 0,
  );
  const attempt = new ConnectionAttempt({ open } as unknown as ConnectionOpener, hosts);
  return { attempt, opened: attempt.open(hosts.next()), openings, hosts };
}

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('ConnectionAttempt', () => {
  it('tries a host that says nothing again beside itself, and the first goes on', async () => {
    const { opened, openings } = attempting(['a']);
    await ms(16_000);
    expect(openings.map(({ atMs }) => atMs)).toEqual([0, 1_000, 3_000, 7_000, 12_000]);
    expect(openings.map(({ aborted }) => aborted)).toEqual([false, true, true, true, false]);
    const model = openings[0]!.open();
    await expect(opened).resolves.toMatchObject({ model, host: { hostname: 'a' } });
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
    await expect(opened).resolves.toMatchObject({ model: first });
    expect(second!.listenerCount('error')).toBe(1);
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
    openings[1]!.fail(new ConnectionRefused('ACCESS'));
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
