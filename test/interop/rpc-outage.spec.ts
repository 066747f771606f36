import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OsloMessagingError, type RpcClient } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { useVhost } from '../support/rabbit.js';
import { startRabbit, type RabbitServer } from '../support/rabbit-server.js';
import { usePythonPeer } from './support/python-peer.js';
import { useRpcEnds } from './support/rpc-ends.js';

const VERSION = '18.3.1';

describe('the line breaks in the middle of a call', () => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version: VERSION, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);
  const toPython = { exchange: 'nova', topic: 'python' };
  const toUs = { exchange: 'nova', topic: 'ours' };
  let client: RpcClient;
  let started: string[];

  beforeAll(async () => {
    started = [];
    client = ours.client(toPython, { timeout: 15 });
    await python.serve({ name: 'p', target: { ...toPython, server: 'h' } });
    const slow = async ({ n }: { n: string }): Promise<string> => {
      started.push(n);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return `slept ${n}`;
    };
    await ours.serve({ ...toUs, server: 'h' }, [{ methods: { slow, echo: (args: object) => args } }]);
    await client.call('echo');
    await python.call('echo', {}, { target: toUs });
  });

  const inPython = (event: string): Promise<unknown> =>
    eventually(() =>
      python.requests().some(({ method, args }) => method === 'slow' && args['seconds'] === Number(event)),
    );

  it('the reply queue is deleted: Python goes on trying, and finds it again', async () => {
    const calling = client.call('slow', { seconds: 1.25, result: 'found' });
    await inPython('1.25');
    await vhost.deleteQueue(client.replyQueue);
    expect(await calling).toBe('found');
    expect(await client.call('echo', { after: 1 })).toEqual({ after: 1 });
  });

  it('our client’s and server’s connections are closed by the broker', async () => {
    const calling = client.call('slow', { seconds: 1.5, result: 'answered' });
    const called = python.call('slow', { n: 'a' }, { target: toUs, client: { timeout: 15 } });
    await inPython('1.5');
    await eventually(() => started.includes('a'));
    const { replyQueue } = client;
    await vhost.closeAllConnections();
    expect(await calling).toBe('answered');
    expect(await called).toBe('slept a');
    expect(client.replyQueue).toBe(replyQueue);
    expect(await client.call('echo', { after: 2 })).toEqual({ after: 2 });
    expect(await python.call('echo', { after: 2 }, { target: toUs })).toEqual({ after: 2 });
  });

  it('the server’s own queues are deleted: they are consumed again, under their names', async () => {
    const before = (await vhost.listQueues()).map(({ name }) => name).toSorted();
    for (const name of before.filter((queue) => queue.startsWith('ours'))) await vhost.deleteQueue(name);
    await eventually(
      async () => (await vhost.listConsumers()).filter(({ queue }) => queue.startsWith('ours')).length === 3,
    );
    expect((await vhost.listQueues()).map(({ name }) => name).toSorted()).toEqual(before);
    expect(await python.call('echo', { after: 3 }, { target: toUs })).toEqual({ after: 3 });
    await python.fanout('slow', { n: 'fan' }, { target: toUs });
    await eventually(() => started.includes('fan'));
  });
});

describe('a broker restarts under load', () => {
  let rabbit: RabbitServer;
  beforeAll(async () => {
    rabbit = await startRabbit();
  });
  afterAll(() => rabbit.dispose());
  const vhost = useVhost({ server: () => rabbit, mayLeave: /^reply_/ });
  const python = usePythonPeer({ version: VERSION, url: () => vhost.url });
  const ours = useRpcEnds(() => vhost.url);

  /** Calls one after the other, 20 at a time, until stopped; how each ended, and after how long. */
  class Load {
    readonly ended: { error?: unknown; value?: unknown; expected: unknown; elapsedMs: number }[] = [];
    private running = true;
    private readonly callers: Promise<void>[];

    constructor(
      private readonly client: RpcClient,
      private readonly pauseMs: number,
    ) {
      this.callers = Array.from({ length: 20 }, (_, caller) => this.call(caller));
    }

    get answered(): number {
      return this.ended.filter(({ error }) => error === undefined).length;
    }

    async stop(): Promise<void> {
      this.running = false;
      await Promise.all(this.callers);
    }

    private async call(caller: number): Promise<void> {
      for (let n = 0; this.running; n += 1) {
        const args = { caller, n };
        const at = performance.now();
        const end = await this.client.call('echo', args).then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        );
        this.ended.push({ ...end, expected: args, elapsedMs: performance.now() - at });
        await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
      }
    }
  }

  it.each([
    ['our server', 'ours', 5],
    ['a Python server', 'python', 50],
  ])(
    'every call to %s ends with its answer or a clear error in time; calls afterwards work',
    async (_who, topic, pauseMs) => {
      const timeout = 10;
      const target = { exchange: 'nova', topic };
      if (topic === 'ours') {
        await ours.serve({ ...target, server: 'h' }, [{ methods: { echo: (args: object) => args } }]);
      } else {
        await python.serve({ name: 'p', target: { ...target, server: 'h' } });
      }
      const client = ours.client(target, { timeout });
      await client.call('echo');
      const before = (await vhost.listQueues()).map(({ name }) => name).toSorted();
      const load = new Load(client, pauseMs);
      await eventually(() => load.answered > 100, 'calls before the restart', 40_000);

      await rabbit.restart();

      const atReturn = load.answered;
      await eventually(() => load.answered > atReturn + 50, 'calls after the restart', 40_000);
      await load.stop();
      for (const { error, value, expected, elapsedMs } of load.ended) {
        expect(error === undefined || error instanceof OsloMessagingError).toBe(true);
        if (error === undefined) expect(value).toEqual(expected);
        expect(elapsedMs).toBeLessThan(timeout * 1000 + 5000);
      }
      // Whoever was not called meanwhile comes back by itself.
      await eventually(async () => {
        const after = (await vhost.listQueues()).map(({ name }) => name).filter((name) => before.includes(name));
        expect(after.toSorted()).toEqual(before);
        return true;
      });
      expect(client.pendingCalls).toBe(0);
    },
    120_000,
  );
});

describe('a broker that is not there', () => {
  const ours = useRpcEnds(() => 'rabbit://');

  it('calls end in time, a finite retry ends earlier, closing ends at once', async () => {
    const broker = ours.broker({}, `rabbit://guest:guest@127.0.0.1:${await freePort()}/`);
    const client = ours.client({ exchange: 'nova', topic: 'conductor' }, { timeout: 1 }, broker);
    await expect(client.call('echo')).rejects.toMatchObject({ code: 'OSLO_TIMEOUT' });
    await expect(client.prepare({ timeout: 30, retry: 1 }).call('echo')).rejects.toMatchObject({
      code: 'OSLO_DELIVERY',
    });
    await expect(client.prepare({ retry: 0 }).cast('echo')).rejects.toMatchObject({ code: 'OSLO_DELIVERY' });
    const pending = client
      .prepare({ timeout: 30 })
      .call('echo')
      .catch((error: unknown) => error);
    const kept = client.cast('echo').catch((error: unknown) => error);
    await client.close();
    expect(await pending).toMatchObject({ code: 'OSLO_CLOSED' });
    await broker.close();
    expect(await kept).toMatchObject({ code: 'OSLO_CLOSED' });
  });
});
