import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RpcClient, RpcClientOptions } from '../../../lib/index.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('the stack of an error', () => {
  const on = useRpcBus();

  beforeEach(async () => {
    await on().serve({
      fail: () => {
        throw new Error('remote');
      },
    });
  });

  function firstFrame(error: unknown): string {
    return String((error as Error).stack).split('\n')[1]!;
  }

  type Attempt = (client: RpcClient) => Promise<unknown>;

  async function stackOf(attempt: Attempt, options: RpcClientOptions = {}): Promise<string> {
    const client = on().client({ timeout: 0.01, ...options });
    return firstFrame(await attempt(client).catch((error: unknown) => error));
  }

  it.each<[string, Attempt]>([
    ['a timeout', (client) => client.prepare({ topic: 'nobody' }).call('x')],
    ['a failure of the peer', (client) => client.prepare({ timeout: 5 }).call('fail')],
    ['a wrong target', (client) => client.prepare({ topic: null }).call('x')],
    ['a cast', (client) => client.prepare({ topic: null }).cast('x')],
    ['a fanout', (client) => client.prepare({ topic: null }).fanout('x')],
    [
      'something unwritable',
      (client) =>
        client.call('x', {
          big: () => 1,
          get broken() {
            throw new Error('x');
          },
        }),
    ],
  ])('starts at the line of the caller: %s', async (_what, attempt) => {
    expect(await stackOf(attempt)).toContain('call-site.spec.ts');
  });

  it('is as it was made where that is switched off', async () => {
    const frame = await stackOf((client) => client.prepare({ timeout: 5 }).call('fail'), { callSite: false });
    expect(frame).not.toContain('call-site.spec.ts');
  });

  it('is that of a hundred calls a second for sure, and of few more: to note it costs time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      vi.advanceTimersByTime(10_000);
      const client = on().client().prepare({ topic: null });
      const shown = async (): Promise<boolean> => {
        const error: unknown = await client.call('x').catch((thrown: unknown) => thrown);
        return firstFrame(error).includes('call-site.spec.ts');
      };
      const first: boolean[] = [];
      for (let n = 0; n < 500; n += 1) first.push(await shown());
      expect(first.slice(0, 100).every(Boolean)).toBe(true);
      expect(first.filter(Boolean).length).toBeLessThanOrEqual(200);
      vi.advanceTimersByTime(1_000);
      expect(await shown()).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('costs nothing of the limit that others rely on', async () => {
    const limit = Error.stackTraceLimit;
    await stackOf((client) => client.prepare({ topic: null }).call('x'));
    expect(Error.stackTraceLimit).toBe(limit);
  });
});
