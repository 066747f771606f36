import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventChannel } from '../../../lib/index.js';
import { type ConnectionOpener, ConnectionRefused } from '../../../lib/broker/rabbit/connection-opener.js';
import type { Line } from '../../../lib/broker/rabbit/line.js';
import { ConnectionState } from '../../../lib/broker/rabbit/connection-state.js';
import { ConnectionSupervisor } from '../../../lib/broker/rabbit/connection-supervisor.js';
import { HostRotation } from '../../../lib/broker/rabbit/host-rotation.js';
import { ReconnectPolicy, type ReconnectOptions } from '../../../lib/broker/rabbit/reconnect-policy.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Connects to nobody; how often it has tried. */
function refused(options: ReconnectOptions = {}, hostnames = ['localhost']) {
  return supervised(() => Promise.reject(new Error('connect ECONNREFUSED')), options, hostnames);
}

/** A broker that greets in 3 ms, and ends the connection 1 ms later. */
async function shortLived(): Promise<unknown> {
  await new Promise((resolve) => setTimeout(resolve, 3));
  const stream = Object.assign(new PassThrough(), { bytesRead: 0, destroySoon: () => undefined }).on(
    'error',
    () => undefined,
  );
  const createChannel = (): Promise<never> => new Promise(() => undefined);
  const model = Object.assign(new EventEmitter(), { connection: { stream }, createChannel });
  setTimeout(() => model.emit('close'), 1);
  return model;
}

function supervised(
  connect: () => Promise<unknown>,
  options: ReconnectOptions = {},
  hostnames = ['localhost'],
  after?: { line: Line | undefined },
) {
  const attempts = { count: 0 };
  const open = (): Promise<unknown> => {
    attempts.count += 1;
    return connect();
  };
  const events = new EventChannel();
  events.subscribe(() => undefined);
  const supervisor = new ConnectionSupervisor({
    opener: { open } as unknown as ConnectionOpener,
    hosts: new HostRotation(
      hostnames.map((hostname) => ({ hostname, port: 5672 })),
      'round-robin',
    ),
    // Always the longest wait.
    policy: new ReconnectPolicy(options, () => 0.999),
    state: new ConnectionState('consume', events),
    livenessTimeoutMs: 5_000,
    events,
    after,
  });
  return { supervisor, attempts };
}

describe('ConnectionSupervisor, told that the broker was reached another way', () => {
  it('does not wait any longer', async () => {
    const { supervisor, attempts } = refused();
    supervisor.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(1);
    supervisor.hurry();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(2);
    await supervisor.close();
  });

  it('goes on waiting as the user has set it', async () => {
    const { supervisor, attempts } = refused({ rabbitRetryInterval: 3 });
    supervisor.start();
    await vi.advanceTimersByTimeAsync(0);
    supervisor.hurry();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(attempts.count).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts.count).toBe(2);
    await supervisor.close();
  });

  it('begins nothing that has not begun, and nothing after its end', async () => {
    const { supervisor, attempts } = refused();
    supervisor.hurry();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBe(0);
    supervisor.start();
    await vi.advanceTimersByTimeAsync(0);
    await supervisor.close();
    supervisor.hurry();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBe(1);
  });
});

describe('ConnectionSupervisor, where the broker ends each line at once', () => {
  it('pauses, however often another line comes up', async () => {
    const [one, other] = [supervised(shortLived), supervised(shortLived)];
    one.supervisor.listen({ lineUp: () => other.supervisor.hurry() });
    other.supervisor.listen({ lineUp: () => one.supervisor.hurry() });
    one.supervisor.start();
    await vi.advanceTimersByTimeAsync(4);
    other.supervisor.start();
    await vi.advanceTimersByTimeAsync(10_000);
    // At most a second each, but for the first few.
    expect(one.attempts.count + other.attempts.count).toBeGreaterThan(20);
    expect(one.attempts.count + other.attempts.count).toBeLessThan(50);
    await Promise.all([one.supervisor.close(), other.supervisor.close()]);
  });
});

describe('ConnectionSupervisor, with several hosts', () => {
  it('pauses when all of them have refused, and not before', async () => {
    const { supervisor, attempts } = refused({ rabbitRetryInterval: 3 }, ['a', 'b', 'c']);
    supervisor.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(attempts.count).toBe(3);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(attempts.count).toBe(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(attempts.count).toBe(6);
    await supervisor.close();
  });
});

describe('ConnectionSupervisor, refused by the broker', () => {
  it('backs off to half a minute', async () => {
    const { supervisor, attempts } = supervised(() => Promise.reject(new ConnectionRefused('ACCESS_REFUSED')));
    supervisor.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBeLessThan(6);
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    expect(attempts.count).toBeLessThan(6 + 60 * 3);
    expect(supervisor.lastFailure).toMatchObject({ reason: 'ACCESS_REFUSED' });
    await supervisor.close();
  });

  it('backs off though another host is gone', async () => {
    const answers = [new ConnectionRefused('ACCESS_REFUSED'), new Error('connect ECONNREFUSED')];
    let attempt = 0;
    const connect = (): Promise<never> => Promise.reject(answers[attempt++ % 2]!);
    const { supervisor, attempts } = supervised(connect, {}, ['a', 'b']);
    supervisor.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBeLessThan(2 * 6);
    await supervisor.close();
  });

  it('begins anew when the broker was gone meanwhile', async () => {
    let error: Error = new ConnectionRefused('ACCESS_REFUSED');
    const { supervisor, attempts } = supervised(() => Promise.reject(error));
    supervisor.start();
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    error = new Error('connect ECONNREFUSED');
    await vi.advanceTimersByTimeAsync(30_000);
    const before = attempts.count;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts.count - before).toBeGreaterThan(4);
    await supervisor.close();
  });
});

describe('ConnectionSupervisor that comes after another', () => {
  it('makes no attempt before that has its connection', async () => {
    const other: { line: Line | undefined } = { line: undefined };
    const { supervisor, attempts } = supervised(() => new Promise(() => undefined), {}, ['localhost'], other);
    supervisor.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts.count).toBe(0);
    other.line = {} as Line;
    supervisor.hurry();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(1);
    await supervisor.close();
  });
});
