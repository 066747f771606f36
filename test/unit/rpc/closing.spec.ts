import { describe, expect, it, vi } from 'vitest';
import { ClosedError, RpcClient, type SendFailed } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { advanced } from '../../support/virtual-time.js';
import { useRpcBus, TARGET } from './support/rpc-bus.js';

describe('closing a client', () => {
  const on = useRpcBus();

  it('rejects what waits, and what comes', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    const calling = client.call('echo').catch((error: unknown) => error);
    await peer.next();
    const closing = client.close();
    expect(await calling).toMatchObject({ name: 'ClosedError', closed: 'client' });
    expect(client.close()).toBe(closing);
    await closing;
    await expect(client.call('echo')).rejects.toBeInstanceOf(ClosedError);
    await expect(client.cast('echo')).rejects.toBeInstanceOf(ClosedError);
    await expect(client.prepare({ timeout: 1 }).call('echo')).rejects.toBeInstanceOf(ClosedError);
  });

  it('only its own calls: other clients of the broker go on, on the same queue', async () => {
    const peer = on().peer();
    await peer.serve();
    const broker = on().broker();
    const [one, two] = [new RpcClient(broker, TARGET), new RpcClient(broker, TARGET)];
    expect(one.replyQueue).toBe(two.replyQueue);
    const ofOne = one.call('a').catch((error: unknown) => error);
    const ofTwo = two.call('b');
    await peer.next();
    const request = await peer.next();
    await one.close();
    expect(await ofOne).toBeInstanceOf(ClosedError);
    await peer.answer(request, { result: 'still here' });
    expect(await ofTwo).toBe('still here');
  });

  it('deletes the reply queue when nothing is outstanding', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    const calling = client.call('echo');
    await peer.answer(await peer.next());
    await calling;
    await client.close();
    expect(await peer.broker.inspectQueue(client.replyQueue)).toBeUndefined();
  });

  it('leaves it to a server that may still answer', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    const calling = client.call('echo').catch(() => undefined);
    await peer.next();
    await client.close();
    await calling;
    expect(await peer.broker.inspectQueue(client.replyQueue)).toEqual({ messages: 0, consumers: 0 });
  });

  it('calls that were never sent are not outstanding', async () => {
    const peer = on().peer();
    await peer.broker.connected();
    const client = on().client({ transportOptions: { atLeastOnce: true } }, { exchange: 'nova', topic: 'nobody' });
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    await expect(client.call('echo')).rejects.toThrow(/No queue/);
    await expect(client.call('echo', circular)).rejects.toThrow(/circular/);
    await client.close();
    expect(await peer.broker.inspectQueue(client.replyQueue)).toBeUndefined();
  });

  it('ends also while the bus is down, and leaves nothing when it is back', async () => {
    vi.useFakeTimers();
    const peer = on().peer();
    await vi.advanceTimersByTimeAsync(1);
    const broker = on().broker();
    const reachable = on().unreachable(broker);
    const client = on().client({}, TARGET, broker);
    const calling = client.call('echo').catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    let closed = false;
    void client.close().then(() => (closed = true));
    await vi.advanceTimersByTimeAsync(3000);
    expect(closed).toBe(true);
    expect(await calling).toBeInstanceOf(ClosedError);
    reachable.open();
    await vi.advanceTimersByTimeAsync(100);
    const inspecting = peer.broker.inspectQueue(client.replyQueue);
    await vi.advanceTimersByTimeAsync(1);
    expect(await inspecting).toBeUndefined();
  });

  it('a broker that is closed ends all calls and casts', async () => {
    const peer = on().peer();
    await peer.serve();
    const broker = on().broker();
    const client = new RpcClient(broker, TARGET);
    const calling = client.call('echo').catch((error: unknown) => error);
    await peer.next();
    await broker.close();
    expect(await calling).toMatchObject({ name: 'ClosedError', closed: 'broker' });
    await expect(client.call('echo')).rejects.toBeInstanceOf(ClosedError);
    await expect(client.cast('echo')).rejects.toBeInstanceOf(ClosedError);
    await client.close();
  });

  it('brings out the casts that came before it', async () => {
    const peer = on().peer();
    await peer.serve();
    const broker = on().broker();
    await broker.connected();
    const client = on().client({}, TARGET, broker);
    on().bus.delayMs = 5;
    const sent = [client.cast('a'), client.cast('b'), client.fanout('c')];
    await client.close();
    on().bus.delayMs = 0;
    expect(await Promise.all(sent)).toEqual([undefined, undefined, undefined]);
    expect([await peer.next(), await peer.next()].map(({ message }) => message['method'])).toEqual(['a', 'b']);
    expect(peer.broker.state).toBe('connected');
  });

  it('waits for no connection', async () => {
    on().bus.accepting = false;
    const client = on().client();
    const sent = client.cast('a').catch(() => undefined);
    await client.close();
    await on().close();
    await sent;
    const [{ message, error }] = on().eventsOf('send-failed') as [SendFailed];
    expect([message, error]).toEqual([expect.stringMatching(/was not sent: ClosedError/), expect.any(ClosedError)]);
  });

  it('a cast that may have arrived is not called unsent', async () => {
    const broker = on().broker();
    await broker.connected();
    on().bus.alarmed = true;
    const sent = on().client({}, TARGET, broker).cast('a');
    await eventually(() => broker.state === 'blocked');
    vi.useFakeTimers();
    await advanced(broker.close(), 10_000);
    await expect(sent).rejects.toMatchObject({ code: 'OSLO_CLOSED', unconfirmed: true });
    expect(on().eventsOf('send-failed')).toMatchObject([{ message: expect.stringContaining('may have arrived') }]);
  });

  it('each of its calls shows the line that made it', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    async function firstCaller(): Promise<unknown> {
      return await client.call('echo').catch((error: unknown) => error);
    }
    async function secondCaller(): Promise<unknown> {
      return await client.call('echo').catch((error: unknown) => error);
    }
    const outcomes = [firstCaller(), secondCaller()];
    await eventually(() => client.pendingCalls === 2);
    await client.close();
    const [first, second] = (await Promise.all(outcomes)) as Error[];
    expect(first!.stack).toContain('firstCaller');
    expect(second!.stack).toContain('secondCaller');
  });

  it('pending calls survive an interruption', async () => {
    const peer = on().peer();
    await peer.serve();
    const client = on().client();
    const calling = client.call('echo');
    const request = await peer.next();
    on().bus.interrupt();
    await peer.answer(request, { result: 'after the break' });
    expect(await calling).toBe('after the break');
  });
});
