import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readGolden, type Capture } from '../../golden/read-golden.js';
import type { RawPeer } from './support/raw-peer.js';
import { Gate, useRpcBus } from './support/rpc-bus.js';

describe('heartbeats to a caller with a call monitor', () => {
  const on = useRpcBus();
  let peer: RawPeer;
  let work: Gate<string>;

  beforeEach(async () => {
    vi.useFakeTimers();
    peer = on().peer();
    work = new Gate();
    const handlers = {
      work: () => work.opened,
      explode: () => {
        throw new Error('at once');
      },
    };
    const starting = on().serve(handlers);
    void peer.listenForReplies();
    await ms(10);
    await starting;
  });

  const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);
  const endings = (): unknown[] => peer.waiting.map(({ message }) => message['ending']);

  it('come at every half of the monitor’s time, as Python writes them, until the answer', async () => {
    const calling = peer.call('work', { _timeout: 4 });
    await ms(5000);
    const captured = readGolden('reply_heartbeat.master.json') as Capture;
    const [beat, second, ...others] = peer.waiting;
    expect(others).toEqual([]);
    expect(beat!.message).toEqual({
      ...captured.oslo_message_decoded,
      _msg_id: await calling,
      _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(second!.message['_unique_id']).not.toBe(beat!.message['_unique_id']);
    work.open('done');
    await ms(60_000);
    expect(endings()).toEqual([false, false, true]);
  });

  it('stop when the handler fails', async () => {
    void peer.call('work', { _timeout: 4 });
    await ms(2500);
    work.fail(new Error('late'));
    await ms(60_000);
    expect(endings()).toEqual([false, true]);
  });

  it.each(['explode', 'missing', '_private'])('none after a failure at once: %s', async (method) => {
    void peer.call(method, { _timeout: 4 });
    await ms(60_000);
    expect(endings()).toEqual([true]);
  });

  it('stop when the caller has given up', async () => {
    void peer.call('work', { _timeout: 4 }, { expirationMs: 5000 });
    await ms(60_000);
    expect(endings()).toEqual([false, false]);
  });

  it.each([null, 0, -1, 'soon'])('none for a monitor of %j', async (timeout) => {
    void peer.call('work', { _timeout: timeout });
    await ms(30_000);
    work.open('done');
    await ms(10);
    expect(endings()).toEqual([true]);
  });

  it('that cannot be delivered do no harm: the answer comes all the same', async () => {
    void peer.call('work', { _timeout: 2 });
    await ms(10);
    void peer.loseReplyQueue();
    await ms(3500);
    work.open('done');
    await ms(1000);
    // The peer's consumer has declared its queue again.
    expect(peer.waiting.at(-1)!.message).toMatchObject({ result: 'done', ending: true });
  });
});
