import { describe, expect, it } from 'vitest';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('oslo.messaging %s on both ends', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const server = usePythonPeer({ version, url: () => vhost.url });
  const client = usePythonPeer({ version, url: () => vhost.url });
  const target = { exchange: 'harness', topic: 'conductor' };

  it('serves and calls', async () => {
    await server.serve({ name: 'one', target: { ...target, server: 'host1' }, offered: ['plain', 'base'] });

    expect(await client.call('echo', { text: 'ž', none: null, big: 2n ** 60n }, { target })).toEqual({
      text: 'ž',
      none: null,
      big: 2n ** 60n,
    });
    expect(
      await client.call('ping', { arg: 1 }, { target, prepare: { namespace: 'baseapi', version: '1.0' } }),
    ).toEqual({ service: 'python', arg: 1 });
    expect(await client.call('not_a_number', {}, { target })).toEqual({ nan: NaN, infinity: Infinity });
    expect(await client.call('large', {}, { target })).toHaveLength(1 << 20);
  });

  it('tells exceptions with class, arguments and ancestors', async () => {
    expect(await client.failure('fail_value', {}, { target })).toMatchObject({
      class: 'ValueError',
      module: 'builtins',
    });
    expect(
      await client.failure('fail_custom', {}, { target, allowed_remote_exmods: ['harness_errors'] }),
    ).toMatchObject({ class: 'HostNotFound_Remote', kwargs: { host: 'host1' } });
    expect(await client.failure('fail_custom', {}, { target })).toMatchObject({
      class: 'RemoteError',
      exc_type: 'HostNotFound',
    });
    expect(
      await client.failure('ping', { arg: 1 }, { target, prepare: { namespace: 'baseapi', version: '1.2' } }),
    ).toMatchObject({ exc_type: 'UnsupportedVersion' });
  });

  it('casts and fans out, with the context', async () => {
    await client.cast('record', { kind: 'cast' }, { target, prepare: { server: 'host1' }, context: { user: 'u1' } });
    await client.fanout('record', { kind: 'fanout' }, { target });

    const cast = await server.waitFor('request', ({ args }) => args['kind'] === 'cast');
    expect(cast).toMatchObject({ server: 'one', endpoint: 'plain', context: { user: 'u1' } });
    await server.waitFor('request', ({ args }) => args['kind'] === 'fanout');
  });

  it('notifies and listens', async () => {
    await server.listen({
      name: 'ear',
      targets: [{ exchange: 'openstack', topic: 'notifications' }],
      priorities: ['error'],
    });
    await client.notify({
      priority: 'error',
      event_type: 'compute.create',
      payload: { id: 7 },
      context: { user: 'u1' },
    });

    expect(await server.waitFor('notification')).toMatchObject({
      listener: 'ear',
      publisherId: 'python.host1',
      eventType: 'compute.create',
      payload: { id: 7 },
    });
  });
});
