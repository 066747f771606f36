import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventChannel } from '../../../lib/events/event-channel.js';
import { Backoff, type BackoffOptions } from '../../../lib/broker/engine/connection/backoff.js';
import { ClosingRequests } from '../../../lib/broker/engine/connection/closing-requests.js';
import { Connection } from '../../../lib/broker/engine/connection/connection.js';
import { Hosts } from '../../../lib/broker/engine/connection/hosts.js';
import type { Session } from '../../../lib/broker/engine/connection/session.js';
import { BrokerRefusal, type Link, type LinkObserver } from '../../../lib/broker/link.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Connects to nobody; how often it has tried. */
function refused(options: BackoffOptions = {}, hostnames = ['localhost']) {
  return supervised(() => Promise.reject(new Error('connect ECONNREFUSED')), options, hostnames);
}

/** A broker that greets in 3 ms, and ends the connection 1 ms later. */
async function shortLived(): Promise<Link> {
  await new Promise((resolve) => setTimeout(resolve, 3));
  return {
    bytesRead: 0,
    signsOfLife: 0,
    uploading: false,
    attach: (observer: LinkObserver) => void setTimeout(() => observer.linkClosed(undefined), 1),
    openChannel: () => new Promise(() => undefined),
    close: () => Promise.resolve(),
    destroy: () => undefined,
  };
}

function supervised(
  connect: () => Promise<Link>,
  options: BackoffOptions = {},
  hostnames = ['localhost'],
  after?: { session: Session | undefined },
) {
  const attempts = { count: 0 };
  const open = (): Promise<Link> => {
    attempts.count += 1;
    return connect();
  };
  const events = new EventChannel();
  events.subscribe(() => undefined);
  const connection = new Connection({
    purpose: 'consume',
    links: { mayFallSilent: true, labelOf: ({ hostname }) => hostname, open },
    hosts: new Hosts(
      hostnames.map((hostname) => ({ hostname, port: 5672 })),
      'round-robin',
    ),
    // Always the longest wait.
    backoff: new Backoff(options, () => 0.999),
    connectionName: 'a client',
    livenessTimeoutMs: 5_000,
    events,
    closingRequests: new ClosingRequests(),
    after,
  });
  return { connection, attempts };
}

describe('Connection, told that the broker was reached another way', () => {
  it('does not wait any longer', async () => {
    const { connection, attempts } = refused();
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(1);
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(2);
    await connection.close();
  });

  it('goes on waiting as the user has set it', async () => {
    const { connection, attempts } = refused({ rabbitRetryInterval: 3 });
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(attempts.count).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(attempts.count).toBe(2);
    await connection.close();
  });

  it('begins nothing that has not begun, and nothing after its end', async () => {
    const { connection, attempts } = refused();
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBe(0);
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    await connection.close();
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBe(1);
  });
});

describe('Connection, where the broker ends each session at once', () => {
  it('pauses, however often another session begins', async () => {
    const [one, other] = [supervised(shortLived), supervised(shortLived)];
    one.connection.listen({ connected: () => other.connection.retryNow() });
    other.connection.listen({ connected: () => one.connection.retryNow() });
    one.connection.start();
    await vi.advanceTimersByTimeAsync(4);
    other.connection.start();
    await vi.advanceTimersByTimeAsync(10_000);
    // At most a second each, but for the first few.
    expect(one.attempts.count + other.attempts.count).toBeGreaterThan(20);
    expect(one.attempts.count + other.attempts.count).toBeLessThan(50);
    await Promise.all([one.connection.close(), other.connection.close()]);
  });
});

describe('Connection, with several hosts', () => {
  it('pauses when all of them have refused, and not before', async () => {
    const { connection, attempts } = refused({ rabbitRetryInterval: 3 }, ['a', 'b', 'c']);
    connection.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(attempts.count).toBe(3);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(attempts.count).toBe(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(attempts.count).toBe(6);
    await connection.close();
  });
});

describe('Connection, refused by the broker', () => {
  it('backs off to half a minute', async () => {
    const { connection, attempts } = supervised(() => Promise.reject(new BrokerRefusal(403, 'ACCESS_REFUSED')));
    connection.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBeLessThan(6);
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    expect(attempts.count).toBeLessThan(6 + 60 * 3);
    expect(connection.lastFailure).toMatchObject({ reason: 'ACCESS_REFUSED' });
    await connection.close();
  });

  it('backs off though another host is gone', async () => {
    const answers = [new BrokerRefusal(403, 'ACCESS_REFUSED'), new Error('connect ECONNREFUSED')];
    let attempt = 0;
    const connect = (): Promise<never> => Promise.reject(answers[attempt++ % 2]!);
    const { connection, attempts } = supervised(connect, {}, ['a', 'b']);
    connection.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts.count).toBeLessThan(2 * 6);
    await connection.close();
  });

  it('begins anew when the broker was gone meanwhile', async () => {
    let error: Error = new BrokerRefusal(403, 'ACCESS_REFUSED');
    const { connection, attempts } = supervised(() => Promise.reject(error));
    connection.start();
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    error = new Error('connect ECONNREFUSED');
    await vi.advanceTimersByTimeAsync(30_000);
    const before = attempts.count;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts.count - before).toBeGreaterThan(4);
    await connection.close();
  });
});

describe('Connection that comes after another', () => {
  it('makes no attempt before that has its connection', async () => {
    const other: { session: Session | undefined } = { session: undefined };
    const { connection, attempts } = supervised(() => new Promise(() => undefined), {}, ['localhost'], other);
    connection.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts.count).toBe(0);
    other.session = {} as Session;
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts.count).toBe(1);
    await connection.close();
  });
});
