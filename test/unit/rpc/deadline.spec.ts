import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { IncomingRequest, RpcServer } from '../../../lib/index.js';
import type { RawPeer } from './support/raw-peer.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

describe('the deadline of a request', () => {
  const on = useRpcBus();
  let peer: RawPeer;
  let server: RpcServer;
  let requests: IncomingRequest[];
  let work: Gate;

  beforeEach(async () => {
    vi.useFakeTimers();
    peer = on().peer();
    requests = [];
    work = new Gate();
    const handler = (_args: object, request: IncomingRequest): Promise<void> => {
      requests.push(request);
      return work.opened;
    };
    const starting = on().serve({ work: handler }, { executorThreadPoolSize: 1 });
    void peer.listenForReplies();
    await ms(10);
    server = await starting;
  });

  const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

  it('held longer it is acknowledged, dropped and reported', async () => {
    void peer.cast('work');
    await ms(10);
    void peer.call('work', { _unique_id: 'impatient' }, { expirationMs: 1000 });
    void peer.call('work', {}, { expirationMs: 60_000 });
    await ms(2000);
    work.open();
    await ms(10);
    expect(requests).toHaveLength(2);
    expect(server.counters).toMatchObject({ dispatched: 2, expired: 1 });
    expect(on().eventsOf('request-dropped')).toMatchObject([{ reason: 'expired', uniqueId: 'impatient' }]);
    const inspecting = peer.broker.inspectQueue('conductor');
    await ms(1);
    expect(await inspecting).toMatchObject({ messages: 0 });
  });

  it('one that was dropped may come again: its id was never dispatched', async () => {
    void peer.cast('work');
    await ms(10);
    void peer.call('work', { _unique_id: 'again' }, { expirationMs: 1000 });
    await ms(2000);
    work.open();
    await ms(10);
    void peer.call('work', { _unique_id: 'again' }, { expirationMs: 1000 });
    await ms(10);
    expect(requests.map(({ uniqueId }) => uniqueId)).toContain('again');
  });

  it('fires the signal when the caller has given up', async () => {
    void peer.call('work', {}, { expirationMs: 1000 });
    await ms(10);
    const { signal, deadline } = requests[0]!;
    expect(deadline!.getTime() - Date.now()).toBe(990);
    await ms(980);
    expect(signal.aborted).toBe(false);
    await ms(20);
    expect(signal.aborted).toBe(true);
    // The handler goes on, and its late answer is still sent.
    work.open();
    await ms(10);
    expect(peer.waiting).toHaveLength(1);
  });

  it('is none without an expiration', async () => {
    void peer.cast('work');
    await ms(10);
    const [request] = requests;
    expect(request!.deadline).toBeUndefined();
    await ms(24 * 3600 * 1000);
    expect(request!.signal.aborted).toBe(false);
  });

  it('leaves no timer once the handler has ended', async () => {
    void peer.call('work', {}, { expirationMs: 60_000 });
    await ms(10);
    void requests[0]!.signal;
    const before = vi.getTimerCount();
    work.open();
    await ms(10);
    expect(vi.getTimerCount()).toBe(before - 1);
  });
});
