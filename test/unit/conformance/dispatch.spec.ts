import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  explicitAccessPolicy,
  expose,
  legacyAccessPolicy,
  type IncomingRequest,
  type RpcAccessPolicy,
  type RpcEndpoint,
} from '../../../lib/index.js';
import { advanced } from '../../support/virtual-time.js';
import type { Scenario } from '../../support/scenarios.js';
import type { RawMessage, RawPeer } from '../rpc/support/raw-peer.js';
import { Gate, useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();
let peer: RawPeer;

interface Dispatch {
  endpoints: Omit<RpcEndpoint, 'methods'>[];
  accessPolicy?: RpcAccessPolicy;
  message: RawMessage & { method: string };
  /** The endpoint that runs; else the class of the failure. */
  outcome: number | 'NoSuchMethod' | 'UnsupportedVersion';
}

const legacy = { namespace: 'testns', legacyNamespaces: ['second', null] };

// TestDispatcher.
describe('the first endpoint of that namespace, version and method runs, with the arguments and the context', () => {
  beforeEach(async () => {
    peer = on().peer();
    await peer.listenForReplies();
  });

  it.each<Scenario<Dispatch>>([
    ['no endpoints', { endpoints: [], message: { method: 'foo' }, outcome: 'UnsupportedVersion' }],
    ['an endpoint without a target', { endpoints: [{}], message: { method: 'foo' }, outcome: 0 }],
    [
      'a context and arguments',
      {
        endpoints: [{}],
        accessPolicy: legacyAccessPolicy,
        message: { method: 'bar', args: { blaa: true }, _context_user: 'bob' },
        outcome: 0,
      },
    ],
    [
      'the null namespace, named',
      {
        endpoints: [{}],
        accessPolicy: legacyAccessPolicy,
        message: { method: 'foo', namespace: null },
        outcome: 0,
      },
    ],
    ['version 1.0, named', { endpoints: [{}], message: { method: 'foo', version: '1.0' }, outcome: 0 }],
    ['no such method', { endpoints: [{}], message: { method: 'foobar' }, outcome: 'NoSuchMethod' }],
    [
      'the namespace of the second endpoint',
      { endpoints: [{}, { namespace: 'testns' }], message: { method: 'foo', namespace: 'testns' }, outcome: 1 },
    ],
    [
      'a namespace of no endpoint',
      {
        endpoints: [{}, { namespace: 'testns' }],
        message: { method: 'foo', namespace: 'nstest' },
        outcome: 'UnsupportedVersion',
      },
    ],
    [
      'a version that the second endpoint serves',
      { endpoints: [{ version: '1.5' }, { version: '3.4' }], message: { method: 'foo', version: '3.2' }, outcome: 1 },
    ],
    [
      'a version that is newer than that of its major',
      {
        endpoints: [{ version: '1.5' }, { version: '3.0' }],
        message: { method: 'foo', version: '3.2' },
        outcome: 'UnsupportedVersion',
      },
    ],
    [
      'the null namespace as a legacy one',
      {
        endpoints: [{ namespace: 'testns', legacyNamespaces: [null] }],
        message: { method: 'foo', namespace: null },
        outcome: 0,
      },
    ],
    [
      'a namespace that is no legacy one either',
      { endpoints: [legacy], message: { method: 'foo', namespace: 'wrong' }, outcome: 'UnsupportedVersion' },
    ],
    [
      'a public method of an endpoint with legacy namespaces',
      { endpoints: [legacy], message: { method: 'foo', namespace: 'testns' }, outcome: 0 },
    ],
    [
      'a private method, by the default policy',
      { endpoints: [legacy], message: { method: '_foobar', namespace: 'testns' }, outcome: 'NoSuchMethod' },
    ],
    [
      'a method that is not exposed, by the explicit policy',
      {
        endpoints: [legacy],
        accessPolicy: explicitAccessPolicy,
        message: { method: 'foo', namespace: 'testns' },
        outcome: 'NoSuchMethod',
      },
    ],
    [
      'a method that is exposed, by the explicit policy',
      {
        endpoints: [legacy],
        accessPolicy: explicitAccessPolicy,
        message: { method: 'bar', namespace: 'testns' },
        outcome: 0,
      },
    ],
  ])('%s', async (_name, { endpoints, accessPolicy, message, outcome }) => {
    const runs: unknown[] = [];
    const noting = (endpoint: number, method: string) => (args: object, request: IncomingRequest) => {
      runs.push({ endpoint, method, args, context: request.requestContext });
      return 'done';
    };
    const served = endpoints.map((endpoint, index) => ({
      ...endpoint,
      methods: {
        foo: noting(index, 'foo'),
        bar: expose(noting(index, 'bar')),
        _foobar: noting(index, '_foobar'),
      },
    }));
    await on().server(served, { accessPolicy }).start();
    const { method, ...fields } = message;
    const reply = await peer.ask(method, fields);
    if (typeof outcome === 'number') {
      const context = '_context_user' in fields ? { user: fields['_context_user'] } : {};
      expect(runs).toEqual([{ endpoint: outcome, method, args: fields['args'] ?? {}, context }]);
      expect(reply).toMatchObject({ result: 'done', failure: null });
      return;
    }
    expect(runs).toEqual([]);
    const version = (fields['version'] as string | undefined) ?? '1.0';
    expect(JSON.parse(String(reply['failure']))).toMatchObject({
      class: outcome,
      module: 'oslo_messaging.rpc.dispatcher',
      // The texts of both classes.
      message:
        outcome === 'NoSuchMethod'
          ? `Endpoint does not support RPC method ${method}`
          : `Endpoint does not support RPC version ${version}. Attempted method: ${method}`,
    });
  });
});

// TestDispatcherWithPingEndpoint.
describe('the ping, where it is enabled', () => {
  beforeEach(async () => {
    peer = on().peer();
    await peer.listenForReplies();
  });

  it('is answered by a server without endpoints', async () => {
    await on().server([], { rpcPingEnabled: true }).start();
    expect(await peer.ask('oslo_rpc_server_ping')).toMatchObject({ result: 'pong', failure: null });
  });

  it('does not replace a method of that name', async () => {
    await on().serve({ oslo_rpc_server_ping: () => 'not_pong' }, { rpcPingEnabled: true });
    expect(await peer.ask('oslo_rpc_server_ping')).toMatchObject({ result: 'not_pong' });
  });
});

// TestMonitorFailure.
describe('a heartbeat that cannot be sent', () => {
  it('does not harm the answer; ours: the next one is tried all the same, as the queue may be back', async () => {
    vi.useFakeTimers();
    const work = new Gate<boolean>();
    const serving = on().serve({ sleep: () => work.opened });
    peer = on().peer();
    await advanced(peer.listenForReplies());
    const server = await advanced(serving);
    let refused = 0;
    on().bus.faults.nacks = ({ body }) => {
      const isHeartbeat = Buffer.from(body)
        .toString()
        .includes(String.raw`\"ending\":false`);
      if (isHeartbeat) refused += 1;
      return isHeartbeat;
    };
    await advanced(peer.call('sleep', { args: { timeout: 3.5 }, _timeout: 2 }));
    await vi.advanceTimersByTimeAsync(3500);
    expect(refused).toBeGreaterThan(1);
    work.open(true);
    const { message } = await advanced(peer.next());
    expect(message).toMatchObject({ result: true, failure: null, ending: true });
    await advanced(server.close(), 10_000);
  });
});
