import { beforeEach, describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  InvalidTarget,
  type PrepareOptions,
  type RpcCallContext,
  RpcVersionCapError,
  type Target,
} from '../../../lib/index.js';
import type { RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('preparing a client', () => {
  const on = useRpcBus();
  let peer: RawPeer;

  beforeEach(async () => {
    peer = on().peer();
    await peer.serve();
  });

  const FULL: Target = { exchange: 'nova', topic: 'conductor', namespace: 'ns', version: '1.5' };

  /** What a cast through this client looks like to the server. */
  async function sent(client: RpcCallContext): Promise<object> {
    await client.cast('work', { a: 1 });
    const { message, exchange, routingKey, expirationMs } = await peer.next();
    const { _unique_id: _id, ...rest } = message;
    return { ...rest, exchange, routingKey, expirationMs };
  }

  const PLAIN = { method: 'work', args: { a: 1 }, exchange: 'nova', routingKey: 'conductor', expirationMs: undefined };

  it.each<[string, Target, PrepareOptions, object]>([
    ['nothing', FULL, {}, { namespace: 'ns', version: '1.5' }],
    ['null resets', FULL, { namespace: null, version: null }, {}],
    ['undefined inherits', FULL, { namespace: undefined, version: undefined }, { namespace: 'ns', version: '1.5' }],
    ['another namespace', FULL, { namespace: 'other' }, { namespace: 'other', version: '1.5' }],
    ['another version', FULL, { version: '1.2.3' }, { namespace: 'ns', version: '1.2.3' }],
    ['neither', { exchange: 'nova', topic: 'conductor' }, {}, {}],
  ])('%s', async (_what, target, changes, expected) => {
    expect(await sent(on().client({}, target).prepare(changes))).toEqual({ ...PLAIN, ...expected });
  });

  it('inherits through several steps, and leaves the client as it was', async () => {
    const client = on().client({}, FULL);
    const once = client.prepare({ namespace: 'once', timeout: 5 });
    expect(await sent(once.prepare({ version: '1.1' }))).toEqual({ ...PLAIN, namespace: 'once', version: '1.1' });
    expect(await sent(client)).toEqual({ ...PLAIN, namespace: 'ns', version: '1.5' });
  });

  it('by server, topic and exchange', async () => {
    const other = on().peer();
    await other.serve('other.host7', 'cinder');
    const client = on().client({}, FULL).prepare({ exchange: 'cinder', topic: 'other', server: 'host7' });
    await client.cast('work');
    expect(await other.next()).toMatchObject({ exchange: 'cinder', routingKey: 'other.host7' });
  });

  it('fanout goes to the topic’s fanout exchange with an empty key, mandatory never', async () => {
    const runs: unknown[] = [];
    await on().serve({ work: (_args: object, request: unknown) => void runs.push(request) });
    const client = on().client({ transportOptions: { atLeastOnce: true } }, FULL);
    await client.prepare({ fanout: true, namespace: null, version: null }).cast('work');
    await client.prepare({ fanout: true, topic: 'nobody' }).cast('work');
    await client.prepare({ namespace: null, version: null }).fanout('work');
    expect(runs).toHaveLength(2);
    expect(runs[0]).toMatchObject({ isFanout: true, delivery: { exchange: 'conductor_fanout', routingKey: '' } });
  });

  it.each<[string, number | undefined, PrepareOptions, number]>([
    ['the default', undefined, {}, 60_000],
    ['the client’s', 7, {}, 7000],
    ['the call’s', 7, { timeout: 1.5 }, 1500],
    ['the client’s again', 7, { timeout: null }, 7000],
  ])('timeout: %s', async (_what, timeout, changes, expirationMs) => {
    const client = on().client({ timeout });
    const warm = client.call('warm');
    await peer.answer(await peer.next());
    await warm;
    const calling = client.prepare(changes).call('work');
    const request = await peer.next();
    expect(request.expirationMs).toBe(expirationMs);
    await peer.answer(request);
    await calling;
  });

  it.each<[string, Target, PrepareOptions]>([
    ['by its target', { ...FULL, fanout: true }, {}],
    ['prepared', FULL, { fanout: true }],
    ['both', { ...FULL, fanout: true }, { fanout: true }],
  ])('a call cannot be fanout: %s', async (_what, target, changes) => {
    await expect(on().client({}, target).prepare(changes).call('work')).rejects.toBeInstanceOf(InvalidTarget);
    expect(peer.waiting).toEqual([]);
  });

  it('fanout can be reset', async () => {
    expect(
      await sent(
        on()
          .client({}, { ...FULL, fanout: true })
          .prepare({ fanout: null }),
      ),
    ).toMatchObject({
      routingKey: 'conductor',
    });
  });

  it('a topic is needed', async () => {
    const client = on().client({}, { exchange: 'nova' });
    await expect(client.call('work')).rejects.toBeInstanceOf(InvalidTarget);
    await expect(client.cast('work')).rejects.toBeInstanceOf(InvalidTarget);
    await expect(on().client({}, FULL).prepare({ topic: null }).cast('work')).rejects.toBeInstanceOf(InvalidTarget);
  });

  it.each([{ timeout: -1 }, { timeout: NaN }, { callMonitorTimeout: -1 }, { retry: -2 }, { retry: 1.5 }])(
    'refuses %j',
    (options) => {
      expect(() => on().client({}, FULL).prepare(options)).toThrow(ConfigurationError);
      expect(() => on().client(options, FULL)).toThrow(ConfigurationError);
    },
  );

  it('refuses what is no version', () => {
    expect(() => on().client({}, { ...FULL, version: '1' })).toThrow(ConfigurationError);
    expect(() => on().client({}, FULL).prepare({ version: 'one' })).toThrow(ConfigurationError);
  });

  // oslo.messaging's TestVersionCap and TestCanSendVersion.
  it.each([
    [null, null, true],
    ['1.0', null, true],
    [null, '1.0', false],
    ['1.0', '1.1', true],
    ['1.1', '1.1', true],
    ['1.2', '1.1', false],
    ['2.0', '1.9', false],
    ['1.6', '1.5.9', false],
    ['1.5.8', '1.5.9', true],
    ['1.10', '1.9', false],
  ])('version %s with a cap of %s may be sent: %s', async (version, versionCap, allowed) => {
    const target = { exchange: 'nova', topic: 'conductor' };
    const client = on().client({ versionCap }, target).prepare({ version });
    expect(client.canSendVersion()).toBe(allowed);
    expect(on().client({ versionCap }, target).canSendVersion(version)).toBe(allowed);
    const casting = await client.cast('work').catch((reason: unknown) => reason);
    const calling = allowed ? undefined : await client.call('work').catch((reason: unknown) => reason);
    const refusal = allowed ? undefined : expect.any(RpcVersionCapError);
    expect([casting, calling]).toEqual([refusal, refusal]);
    expect(calling).toEqual(allowed ? undefined : expect.objectContaining({ version, versionCap }));
    expect(peer.waiting).toHaveLength(allowed ? 1 : 0);
  });

  it('a cap can be changed and reset', () => {
    const client = on().client({ versionCap: '1.1' }, { ...FULL, version: '1.5' });
    expect(client.canSendVersion()).toBe(false);
    expect(client.prepare({ versionCap: '1.5' }).canSendVersion()).toBe(true);
    expect(client.prepare({ versionCap: null }).canSendVersion()).toBe(true);
    expect(client.prepare({ version: '1.0' }).canSendVersion()).toBe(true);
  });
});
