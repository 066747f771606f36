import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ConnectionOutage,
  MessagingTimeout,
  type PrepareOptions,
  type RpcClient,
  type TimeoutDiagnosis,
} from '../../../lib/index.js';
import type { MemoryBroker } from '../../support/memory-broker.js';
import type { RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('the diagnosis of a timeout', () => {
  const on = useRpcBus();
  let broker: MemoryBroker;
  let client: RpcClient;

  beforeEach(async () => {
    vi.useFakeTimers({ now: new Date('2026-01-01T12:00:00Z') });
    broker = on().broker();
    client = on().client({ timeout: 10 }, undefined, broker);
    await ms(1);
  });

  function begin(settings: PrepareOptions = {}): Promise<unknown> {
    return client
      .prepare(settings)
      .call('echo')
      .catch((error: unknown) => error);
  }

  async function timeoutOf(calling: Promise<unknown>): Promise<MessagingTimeout & { diagnosis: TimeoutDiagnosis }> {
    const error = await calling;
    expect(error).toBeInstanceOf(MessagingTimeout);
    return error as MessagingTimeout & { diagnosis: TimeoutDiagnosis };
  }

  async function serve(): Promise<RawPeer> {
    const peer = on().peer();
    void peer.serve();
    await ms(10);
    return peer;
  }

  /** With other properties: it cannot be consumed again. */
  function strangerTakesReplyQueue(): void {
    on().bus.deleteQueue(client.replyQueue);
    on().bus.declare([
      { kind: 'queue', name: client.replyQueue, durable: false, autoDelete: false, arguments: { 'x-expires': 60_000 } },
    ]);
  }

  it('no such queue', async () => {
    const calling = begin();
    await ms(10_000);
    const { diagnosis, message } = await timeoutOf(calling);
    expect(diagnosis).toEqual({
      reason: 'no-queue',
      summary: "there is no queue 'conductor'",
      waitedFor: 'answer',
      exchange: 'nova',
      queue: 'conductor',
      confirmed: true,
      outages: [],
    });
    expect(message).toMatch(
      /^Call of echo to nova\/conductor timed out: no answer within 10 s; there is no queue 'conductor' \(message [0-9a-f]{32}\)$/,
    );
  });

  it('no such exchange: somebody has deleted it', async () => {
    await serve();
    const calling = begin();
    await ms(5000);
    on().bus.deleteExchange('nova');
    await ms(5000);
    expect((await timeoutOf(calling)).diagnosis).toMatchObject({ reason: 'no-exchange', consumers: 1 });
    expect((await calling) as Error).toMatchObject({ message: expect.stringContaining("there is no exchange 'nova'") });
  });

  it('no consumers, and how much is waiting', async () => {
    const server = await serve();
    await server.broker.close();
    const callings = [begin(), begin({ timeout: 11 }), begin({ timeout: 12 })];
    await ms(12_000);
    const [first, , last] = await Promise.all(callings.map(timeoutOf));
    expect(first!.fault).toBe('peer');
    expect(first!.diagnosis).toMatchObject({ reason: 'no-consumers', messages: 3, consumers: 0 });
    expect(first!.message).toContain("queue 'conductor' has no consumers and 3 messages waiting");
    // The requests of the others have expired by then.
    expect(last!.message).toContain("queue 'conductor' has no consumers and 1 message waiting");
  });

  it('consumed, but not answered', async () => {
    await serve();
    await serve();
    const calling = begin();
    await ms(10_000);
    expect((await timeoutOf(calling)).diagnosis).toMatchObject({ reason: 'not-answered', messages: 0, consumers: 2 });
    expect((await timeoutOf(calling)).message).toContain(
      "queue 'conductor' has 2 consumers and 0 messages waiting, but none has answered",
    );
  });

  it('looks at the queue of the server where the call is for one', async () => {
    await serve();
    const calling = begin({ server: 'host1' });
    await ms(10_000);
    expect((await timeoutOf(calling)).diagnosis).toMatchObject({ reason: 'no-queue', queue: 'conductor.host1' });
  });

  it('says when the line was down', async () => {
    await serve();
    const calling = begin();
    await ms(2000);
    on().bus.accepting = false;
    broker.interrupted();
    await ms(2000);
    on().bus.accepting = true;
    await ms(6000);
    const { diagnosis, message } = await timeoutOf(calling);
    const from = '2026-01-01T12:00:02.011Z';
    expect(diagnosis.outages).toMatchObject([
      { kind: 'disconnected', connection: 'publish', from },
      { kind: 'disconnected', connection: 'consume', from },
    ]);
    expect(new Date(diagnosis.outages[0]!.to!).getTime()).toBeGreaterThanOrEqual(Date.parse('2026-01-01T12:00:04Z'));
    expect(message).toContain(`the publish connection was down from ${from} to ${diagnosis.outages[0]!.to}`);
    expect(diagnosis.reason).toBe('not-answered');
  });

  it('says that it is down, and since when', async () => {
    const calling = begin();
    await ms(2000);
    on().bus.accepting = false;
    broker.interrupted();
    await ms(8000);
    const { diagnosis, fault, message } = await timeoutOf(calling);
    expect(fault).toBe('broker');
    expect(diagnosis).toMatchObject({ reason: 'disconnected', confirmed: true, outages: [{ to: null }, { to: null }] });
    expect(message).toContain('the publish connection is down since 2026-01-01T12:00:02.001Z');
  });

  it('says that it was never up', async () => {
    on().bus.accepting = false;
    const unconnected = on().client({ timeout: 5 }, undefined, on().broker());
    const calling = unconnected.call('echo').catch((error: unknown) => error);
    await ms(5000);
    const { diagnosis } = await timeoutOf(calling);
    expect(diagnosis).toMatchObject({ reason: 'disconnected', confirmed: false });
    expect(diagnosis.outages[0]).toEqual({
      kind: 'disconnected',
      connection: 'publish',
      from: '2026-01-01T12:00:00.001Z',
      to: null,
    });
  });

  it('an outage before the call is none of its business', async () => {
    broker.interrupted();
    await ms(1000);
    const calling = begin();
    await ms(10_000);
    expect((await timeoutOf(calling)).diagnosis.outages).toEqual([]);
  });

  it('the broker takes nothing', async () => {
    await serve();
    on().bus.alarmed = true;
    // Under an alarm the first message is taken.
    void begin();
    await ms(10);
    const calling = begin();
    await ms(10_000);
    const { diagnosis, message } = await timeoutOf(calling);
    expect(diagnosis).toMatchObject({ reason: 'blocked', confirmed: false, outages: [{ kind: 'blocked', to: null }] });
    expect(message).toContain('memory or disk alarm');
  });

  it('our own reply queue is not consumed', async () => {
    await serve();
    const calling = begin();
    await ms(10);
    strangerTakesReplyQueue();
    await ms(10);
    expect(client.health).toEqual({ connected: true, blocked: false, consuming: false, draining: false });
    await ms(10_000);
    expect((await timeoutOf(calling)).diagnosis.reason).toBe('reply-queue-lost');
  });

  it('our own reply queue was not consumed for a while', async () => {
    await serve();
    const calling = begin();
    await ms(10);
    strangerTakesReplyQueue();
    await ms(2_000);
    on().bus.deleteQueue(client.replyQueue);
    await ms(8_000);
    const { diagnosis, message } = await timeoutOf(calling);
    expect(diagnosis).toMatchObject({
      reason: 'not-answered',
      outages: [{ kind: 'reply-queue-lost', connection: 'consume' }],
    });
    const [{ from, to }] = diagnosis.outages as [ConnectionOutage];
    expect(Date.parse(to!) - Date.parse(from)).toBeGreaterThanOrEqual(1_900);
    expect(message).toContain(`our reply queue was not consumed from ${from} to ${to}`);
  });

  it('learns of an answer that comes too late; an event names the call', async () => {
    const peer = await serve();
    const calling = begin();
    await ms(10_000);
    const { diagnosis, msgId } = await timeoutOf(calling);
    expect(diagnosis.answeredLateByMs).toBeUndefined();
    await ms(250);
    void peer.answer(await peer.next(), { result: 'late' });
    await ms(10);
    expect(diagnosis.answeredLateByMs).toBe(250);
    expect(on().eventsOf('reply-unmatched')).toMatchObject([
      { reason: 'late', msgId, method: 'echo', target: 'nova/conductor', lateByMs: 250 },
    ]);
    expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis);
  });

  it('of a silent call monitor: says so, and when the last heartbeat came', async () => {
    const peer = await serve();
    const calling = begin({ timeout: 60, callMonitorTimeout: 2 });
    await ms(1500);
    void peer.answer(await peer.next(), { ending: false });
    await ms(2000);
    const { diagnosis, message } = await timeoutOf(calling);
    expect(diagnosis).toMatchObject({ reason: 'not-answered', waitedFor: 'heartbeat', lastHeartbeatMsAgo: 2000 });
    expect(message).toContain('no heartbeat of the server for 2 s');
    expect(message).toContain("the server's last heartbeat came 2000 ms ago");
  });

  it('comes at the deadline although the broker does not answer the look', async () => {
    await serve();
    const calling = begin();
    await ms(5000);
    on().bus.delayMs = 2000;
    await ms(4990);
    expect(client.pendingCalls).toBe(1);
    await ms(10);
    const { diagnosis, message } = await timeoutOf(calling);
    expect(diagnosis).toMatchObject({ reason: 'unknown' });
    expect(message).toContain("the broker did not answer an inspection of queue 'conductor' within 1000 ms");
  });

  describe('of a process that stood still', () => {
    /** As when it is stopped: its timers do not fire meanwhile. */
    function standStill(duration: number): void {
      const running = performance.now.bind(performance);
      vi.spyOn(performance, 'now').mockImplementation(() => running() + duration);
    }

    it('is none where the answer lay in its socket: timers come before sockets', async () => {
      const peer = await serve();
      const calling = begin({ timeout: 10 });
      await ms(9_000);
      const request = await peer.next();
      standStill(5_000);
      setTimeout(() => void peer.answer(request, { result: 'in time' }), 1_000);
      await ms(1_100);
      expect(await calling).toBe('in time');
    });

    it('does not say that the broker was asked', async () => {
      await serve();
      const calling = begin();
      await ms(1_000);
      standStill(60_000);
      await ms(9_100);
      const { diagnosis, message } = await timeoutOf(calling);
      expect(diagnosis).toMatchObject({ reason: 'unknown' });
      expect(message).toContain("our process stood still, and did not inspect queue 'conductor'");
    });
  });

  describe('its looks', () => {
    let peer: RawPeer;

    beforeEach(async () => {
      peer = await serve();
      vi.spyOn(broker, 'inspectQueue');
      vi.spyOn(broker, 'hasExchange');
    });

    it('are one at a time for all calls to a queue', async () => {
      on().bus.delayMs = 20;
      const callings = Array.from({ length: 50 }, () => begin());
      const other = begin({ server: 'host1' });
      await ms(10_000);
      for (const calling of callings) expect((await timeoutOf(calling)).diagnosis.reason).toBe('not-answered');
      expect((await timeoutOf(other)).diagnosis.reason).toBe('no-queue');
      expect(vi.mocked(broker.inspectQueue).mock.calls).toEqual([['conductor'], ['conductor.host1']]);
      expect(broker.hasExchange).toHaveBeenCalledTimes(2);
    });

    it('begin a second before the deadline, or a fifth of a shorter timeout', async () => {
      const callings = [begin(), begin({ timeout: 2, server: 'short' })];
      await ms(1599);
      expect(broker.inspectQueue).not.toHaveBeenCalled();
      await ms(1);
      expect(vi.mocked(broker.inspectQueue).mock.calls).toEqual([['conductor.short']]);
      await ms(7399);
      expect(broker.inspectQueue).toHaveBeenCalledTimes(1);
      await ms(1);
      expect(vi.mocked(broker.inspectQueue).mock.calls.at(-1)).toEqual(['conductor']);
      await ms(1000);
      await Promise.all(callings);
    });

    it('are fresh: one before a heartbeat does not count', async () => {
      const calling = begin({ timeout: 60, callMonitorTimeout: 2 });
      await ms(1850);
      expect(broker.inspectQueue).toHaveBeenCalledTimes(1);
      void peer.answer(await peer.next(), { ending: false });
      await ms(1);
      await peer.broker.close();
      await ms(1500);
      expect(broker.inspectQueue).toHaveBeenCalledTimes(1);
      await ms(500);
      expect(broker.inspectQueue).toHaveBeenCalledTimes(2);
      expect((await timeoutOf(calling)).diagnosis).toMatchObject({ reason: 'no-consumers', waitedFor: 'heartbeat' });
    });

    it('that fail are told with their reason, and blame nobody', async () => {
      vi.spyOn(broker, 'inspectQueue').mockRejectedValue(new Error('no channel is left'));
      const calling = begin();
      await ms(10_000);
      const { diagnosis, message } = await timeoutOf(calling);
      expect(diagnosis.reason).toBe('unknown');
      expect(message).toContain("nothing is known of queue 'conductor': no channel is left");
    });

    it('are not made for calls that are answered in time', async () => {
      const calling = begin({ timeout: 1 });
      await ms(700);
      void peer.answer(await peer.next(), { result: 'in time' });
      await ms(5000);
      expect(await calling).toBe('in time');
      expect(broker.inspectQueue).not.toHaveBeenCalled();
    });
  });
});
