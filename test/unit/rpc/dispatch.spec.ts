import { beforeEach, describe, expect, it } from 'vitest';
import {
  expectedExceptions,
  explicitAccessPolicy,
  expose,
  legacyAccessPolicy,
  type RpcEndpoint,
  type RpcServerOptions,
} from '../../../lib/index.js';
import { capturesOf } from '../../golden/read-golden.js';
import type { RawMessage, RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('dispatching', () => {
  const on = useRpcBus();
  let peer: RawPeer;

  beforeEach(async () => {
    peer = on().peer();
    await peer.listenForReplies();
  });

  async function serving(endpoints: readonly RpcEndpoint[], options?: RpcServerOptions): Promise<void> {
    await on().server(endpoints, options).start();
  }

  const says = (text: string): RpcEndpoint['methods'] => ({ which: () => text });

  it('hands over arguments, context and the facts of the request', async () => {
    const seen: unknown[] = [];
    await serving([
      {
        namespace: 'baseapi',
        version: '1.1',
        methods: {
          work(args: unknown, request: { requestContext: unknown; target: unknown; clientTimeout?: number }) {
            seen.push(args, request.requestContext, request.target, request.clientTimeout);
          },
        },
      },
    ]);
    const context = { _context_user: 'u', _context_project: 'p' };
    const reply = await peer.ask('work', {
      args: { a: 1 },
      namespace: 'baseapi',
      version: '1.0',
      _timeout: 30,
      ...context,
    });
    expect(reply).toMatchObject({ result: null, failure: null, ending: true });
    expect(seen).toEqual([
      { a: 1 },
      { user: 'u', project: 'p' },
      {
        exchange: 'nova',
        topic: 'conductor',
        server: 'host1',
        namespace: 'baseapi',
        version: '1.0',
        fanout: false,
      },
      30,
    ]);
  });

  it('without an endpoint nothing is supported', async () => {
    await serving([]);
    expect(await peer.askForFailure('which')).toMatchObject({ class: 'UnsupportedVersion' });
  });

  it('by namespace; a wrong one is an unsupported version', async () => {
    await serving([
      { namespace: 'one', methods: says('one') },
      { namespace: 'two', methods: says('two') },
    ]);
    expect(await peer.ask('which', { namespace: 'two' })).toMatchObject({ result: 'two' });
    expect(await peer.askForFailure('which', { namespace: 'three' })).toMatchObject({ class: 'UnsupportedVersion' });
    expect(await peer.askForFailure('which')).toMatchObject({ class: 'UnsupportedVersion' });
  });

  it.each([
    ['3.2', '3.4', true],
    ['3.2', '3.0', false],
    ['1.10', '1.9', false],
    ['1.9', '1.10', true],
    ['2.0', '1.9', false],
    ['1', '1.0', false],
    [undefined, '1.0', true],
  ])('a request for %s at an endpoint of %s: %s', async (requested, implemented, served) => {
    await serving([{ version: implemented, methods: says('served') }]);
    const reply = await peer.ask('which', { version: requested });
    expect(reply['result']).toBe(served ? 'served' : null);
    if (!served) expect(JSON.parse(String(reply['failure']))).toMatchObject({ class: 'UnsupportedVersion' });
  });

  it('majors stand side by side, and the first endpoint with the method takes it', async () => {
    await serving([
      { version: '1.5', methods: says('1.5') },
      { version: '2.3', methods: says('2.3') },
      { version: '2.9', methods: says('never') },
      { version: '1.2', methods: { other: () => 'other 1.2' } },
    ]);
    expect(await peer.ask('which', { version: '1.0' })).toMatchObject({ result: '1.5' });
    expect(await peer.ask('which', { version: '2.1' })).toMatchObject({ result: '2.3' });
    expect(await peer.ask('other', { version: '1.1' })).toMatchObject({ result: 'other 1.2' });
    expect(await peer.askForFailure('other', { version: '1.4' })).toMatchObject({ class: 'NoSuchMethod' });
  });

  it('legacy namespaces, the null one among them', async () => {
    await serving([{ namespace: 'new', legacyNamespaces: ['old', null], methods: says('found') }]);
    for (const namespace of ['new', 'old', null, undefined]) {
      expect(await peer.ask('which', { namespace })).toMatchObject({ result: 'found' });
    }
  });

  it('methods of a class instance, inherited ones too, but none of every object', async () => {
    class Base {
      greeting = 'hello';
      inherited(): string {
        return this.greeting;
      }
    }
    class Endpoint extends Base {
      own(): string {
        return `${this.greeting}, own`;
      }
      get getter(): () => string {
        throw new Error('a getter must not run');
      }
    }
    await serving([{ methods: new Endpoint() }]);
    expect(await peer.ask('own')).toMatchObject({ result: 'hello, own' });
    expect(await peer.ask('inherited')).toMatchObject({ result: 'hello' });
    for (const method of ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'greeting', 'getter', '']) {
      expect(await peer.askForFailure(method)).toMatchObject({ class: 'NoSuchMethod' });
    }
  });

  it('whatever nobody takes goes to `anyMethod`', async () => {
    await serving([
      { methods: says('known') },
      { methods: {}, anyMethod: (args: { a: number }, { method, namespace }) => `${method} ${namespace} ${args.a}` },
    ]);
    expect(await peer.ask('which')).toMatchObject({ result: 'known' });
    expect(await peer.ask('foreign', { namespace: 'x', version: '7.7', args: { a: 1 } })).toMatchObject({
      result: 'foreign x 1',
    });
  });

  describe('access policies', () => {
    const methods = { _private: () => 'private', open: () => 'open', exposed: expose(() => 'exposed') };
    const outcomes = async (): Promise<unknown[]> => {
      const replies: RawMessage[] = [];
      for (const method of ['_private', 'open', 'exposed']) replies.push(await peer.ask(method));
      return replies.map(({ result }) => result);
    };

    it('by default all but a leading underscore', async () => {
      await serving([{ methods }]);
      expect(await outcomes()).toEqual([null, 'open', 'exposed']);
      expect(await peer.askForFailure('_private')).toMatchObject({ class: 'NoSuchMethod' });
    });

    it('legacy: all', async () => {
      await serving([{ methods }], { accessPolicy: legacyAccessPolicy });
      expect(await outcomes()).toEqual(['private', 'open', 'exposed']);
    });

    it('explicit: what is exposed', async () => {
      await serving([{ methods }], { accessPolicy: explicitAccessPolicy });
      expect(await outcomes()).toEqual([null, null, 'exposed']);
    });
  });

  describe('ping', () => {
    it('is answered when it is enabled', async () => {
      await serving([{ namespace: 'x', methods: {} }], { rpcPingEnabled: true });
      expect(await peer.ask('oslo_rpc_server_ping', { args: { any: 1 } })).toMatchObject({ result: 'pong' });
    });

    it('is unknown otherwise', async () => {
      await serving([{ methods: {} }]);
      expect(await peer.askForFailure('oslo_rpc_server_ping')).toMatchObject({ class: 'NoSuchMethod' });
    });

    it('does not replace one of the user’s own', async () => {
      await serving([{ methods: { oslo_rpc_server_ping: () => 'mine' } }], { rpcPingEnabled: true });
      expect(await peer.ask('oslo_rpc_server_ping')).toMatchObject({ result: 'mine' });
    });
  });

  it.each(capturesOf('reply_failure_nosuchmethod'))(
    'an unknown method is answered as in %s',
    async (_name, capture) => {
      await serving([{ methods: {} }]);
      const { tb: _python, ...expected } = capture.failure_decoded!;
      const { tb: _ours, ...failure } = await peer.askForFailure('_private');
      expect(failure).toEqual(expected);
    },
  );

  it.each(capturesOf('reply_failure_unsupportedversion'))('a wrong version as in %s', async (_name, capture) => {
    await serving([{ methods: {} }]);
    const { tb: _python, ...expected } = capture.failure_decoded!;
    const { tb: _ours, ...failure } = await peer.askForFailure('echo', { version: '1.9' });
    expect(failure).toEqual(expected);
  });

  it('expected exceptions reach the caller, and are reported at debug level', async () => {
    class HostNotFound extends Error {}
    const expected = expectedExceptions(() => {
      throw new HostNotFound('h1');
    }, HostNotFound);
    const surprising = (): never => {
      throw new HostNotFound('h2');
    };
    await serving([{ methods: { expected, surprising } }]);
    expect(await peer.askForFailure('expected')).toMatchObject({ class: 'HostNotFound', args: ['h1'] });
    expect(await peer.askForFailure('surprising')).toMatchObject({ class: 'HostNotFound', args: ['h2'] });
    expect(await peer.askForFailure('later_ignore_errors')).toMatchObject({ class: 'NoSuchMethod' });
    expect(on().eventsOf('handler-failed')).toMatchObject([
      { method: 'expected', level: 'debug', expected: true },
      { method: 'surprising', level: 'error', expected: false },
      { method: 'later_ignore_errors', level: 'debug' },
    ]);
  });

  it('serves several topics and exchanges, each its own endpoints', async () => {
    await on()
      .server([
        { methods: says('default') },
        { topic: 'other', exchange: 'cinder', methods: says('other') },
        { topic: 'conductor', exchange: 'heat', methods: says('same topic, other exchange') },
      ])
      .start();
    expect(await peer.ask('which')).toMatchObject({ result: 'default' });
    await peer.call('which', {}, { exchange: 'cinder', routingKey: 'other.host1' });
    expect((await peer.next()).message).toMatchObject({ result: 'other' });
    await peer.call('which', {}, { exchange: 'heat', routingKey: 'conductor' });
    expect((await peer.next()).message).toMatchObject({ result: 'same topic, other exchange' });
  });

  it('tells as data what can be called, without what the access policy denies', () => {
    const server = on().server([
      { namespace: 'baseapi', version: '1.1', legacyNamespaces: [null], methods: { ping: () => 1, _own: () => 2 } },
    ]);
    expect(server.served).toEqual([
      expect.objectContaining({ namespace: 'baseapi', legacyNamespaces: [null], version: '1.1', methods: ['ping'] }),
    ]);
    expect(Object.keys(server.served[0] ?? {})).toEqual(expect.arrayContaining(['exchange', 'topic', 'server']));
  });
});
