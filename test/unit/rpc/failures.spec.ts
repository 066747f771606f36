import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RemoteError, type RpcServerOptions } from '../../../lib/index.js';
import { readGolden, type Capture } from '../../golden/read-golden.js';
import type { RawPeer } from './support/raw-peer.js';
import { RawPeer as Peer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('what a handler throws', () => {
  const on = useRpcBus();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  let peer: RawPeer;

  beforeEach(async () => {
    process.on('unhandledRejection', note);
    peer = on().peer();
    await peer.listenForReplies();
  });
  afterEach(() => {
    process.off('unhandledRejection', note);
    if (unhandled.length > 0) throw new AggregateError(unhandled.splice(0), 'unhandled rejections');
  });

  async function thrown(error: unknown, options?: RpcServerOptions): Promise<Record<string, unknown>> {
    const server = await on().serve(
      {
        fail: () => {
          throw error;
        },
        failLater: async () => {
          throw error;
        },
        ping: () => 'pong',
      },
      options,
    );
    const later = await peer.askForFailure('failLater');
    const failure = await peer.askForFailure('fail');
    expect(failure).toEqual(later);
    expect(await peer.ask('ping')).toMatchObject({ result: 'pong' });
    await server.close();
    return failure;
  }

  it('has the keys and kinds that Python writes', async () => {
    const captured = (readGolden('reply_failure.master.json') as Capture).failure_decoded!;
    const failure = await thrown(new Error('boom'));
    expect(Object.keys(failure)).toEqual(Object.keys(captured));
    expect(failure).toMatchObject({
      class: 'Exception',
      module: 'builtins',
      message: 'boom',
      args: ['boom'],
      kwargs: {},
    });
  });

  it('has a traceback of the shape that API services cut off before they answer their users', async () => {
    const captured = (readGolden('reply_failure.master.json') as Capture).failure_decoded!;
    const [header] = captured['tb'] as string[];
    const { tb } = (await thrown(new RangeError('two\nlines'))) as { tb: string[] };
    const innermost = tb.findLastIndex((line) => line.includes('failures.spec.ts'));
    expect(tb[0]).toBe(header);
    expect(tb.at(-1)).toBe('ValueError: two\nlines\n');
    expect(innermost).toBe(tb.length - 2);
    expect(tb.every((line) => line.endsWith('\n'))).toBe(true);
  });

  it('sends no traceback where that is switched off', async () => {
    expect(await thrown(new Error('boom'), { sendTraceback: false })).toMatchObject({ tb: [] });
  });

  it.each([
    [new TypeError('t'), 'TypeError'],
    [new RangeError('r'), 'ValueError'],
    [Object.assign(new Error('e'), { code: 'ENOENT' }), 'FileNotFoundError'],
    [Object.assign(new TypeError('e'), { code: 'ERR_INVALID_ARG_TYPE' }), 'TypeError'],
  ])('%s is a builtin', async (error, type) => {
    expect(await thrown(error)).toMatchObject({ class: type, module: 'builtins' });
  });

  it('an error class of one’s own keeps its name, or has a Python class; args and kwargs travel', async () => {
    class HostNotFound extends Error {
      args = [42];
      kwargs = { why: 'x' };
    }
    const captured = (readGolden('reply_failure_custom.master.json') as Capture).failure_decoded!;
    expect(await thrown(new HostNotFound('42'))).toMatchObject({ class: 'HostNotFound', module: 'nestjs' });
    const pythonExceptions = [[HostNotFound, '__main__.CustomErr']] as const;
    const { tb: _ours, ...failure } = await thrown(new HostNotFound('42'), { pythonExceptions });
    const { tb: _python, ...expected } = captured;
    expect(failure).toEqual(expected);
  });

  it('an error class with a name that is no text is an answer too', async () => {
    class Odd extends Error {
      static override name = (() => 'no text') as unknown as string;
    }
    expect(await thrown(new Odd('x'))).toMatchObject({ class: 'Exception', message: 'x' });
  });

  it.each([
    ['a string', 'text', 'text', ['text']],
    ['nothing', undefined, 'undefined', [null]],
    ['null', null, 'null', [null]],
    ['a number', 7, '7', [7]],
    ['an object', { a: 1 }, '[object Object]', [{ a: 1 }]],
    ['an object without a text', Object.create(null), 'an object without a text', [{}]],
    ['a symbol', Symbol('s'), 'Symbol(s)', [null]],
    ['a bigint', 2n ** 60n, '1152921504606846976', [Number(2n ** 60n)]],
  ])('%s is an answer too', async (_what, error, message, args) => {
    expect(await thrown(error)).toMatchObject({ class: 'Exception', module: 'builtins', message, args });
  });

  it.each([
    ['a revoked proxy', revokedProxy()],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: explode })],
    ['an error whose stack throws', Object.defineProperty(new Error('x'), 'stack', { get: explode })],
    ['an error whose name is an object', Object.assign(new Error('x'), { name: Object.create(null) })],
    ['an error whose constructor is gone', Object.assign(new Error('x'), { constructor: undefined })],
  ])('%s still gets an answer', async (_what, error) => {
    expect(await thrown(error)).toMatchObject({ class: expect.any(String) });
  });

  it('arguments that JSON cannot hold are sent as text', async () => {
    const circular: Record<string, unknown> = { name: 'loop' };
    circular['self'] = circular;
    const error = Object.assign(new TypeError('odd'), { args: [circular, 1n, 'fine'], kwargs: { f: circular } });
    expect(await thrown(error)).toMatchObject({
      class: 'TypeError',
      args: ['[object Object]', 1, 'fine'],
      kwargs: { f: '[object Object]' },
    });
  });

  it('a RemoteError goes on as it came', async () => {
    const facts = {
      excType: 'HostNotFound',
      module: 'nova.exception',
      remoteMessage: 'no h1',
      remoteTraceback: ['Traceback\n', 'line\n'],
      args: ['h1'],
      kwargs: { host: 'h1' },
    };
    expect(await thrown(new RemoteError(facts))).toEqual({
      class: 'HostNotFound',
      module: 'nova.exception',
      message: 'no h1',
      tb: ['Traceback\n', 'line\n'],
      args: ['h1'],
      kwargs: { host: 'h1' },
    });
  });

  it('what a client here got from another service goes on unchanged, registered or not', async () => {
    class HostNotFound extends Error {}
    const failure = (readGolden('reply_failure_custom.master.json') as Capture).oslo_message_decoded['failure'];
    const backend = new Peer(on().broker());
    await backend.serve('backend');
    const options = { remoteExceptions: { '__main__.CustomErr': HostNotFound } };
    const known = on().client(options, { exchange: 'nova', topic: 'backend' });
    const unknown = on().client({}, { exchange: 'nova', topic: 'backend' });
    await on().serve({ known: () => known.call('get_host'), unknown: () => unknown.call('get_host') });
    for (const method of ['known', 'unknown']) {
      const msgId = await peer.call(method);
      await backend.answer(await backend.next(), { failure });
      const { message } = await peer.next();
      expect(message['_msg_id']).toBe(msgId);
      expect(JSON.parse(String(message['failure']))).toEqual(JSON.parse(String(failure)));
    }
  });

  it('a result that cannot be written is a failure', async () => {
    const circular: unknown[] = [];
    circular.push(circular);
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    await on().serve({ circular: () => circular, deep: () => deep, ping: () => 'pong' });
    expect(await peer.askForFailure('circular')).toMatchObject({ class: 'ValueError' });
    expect(await peer.askForFailure('deep')).toMatchObject({ class: 'ValueError' });
    expect(await peer.ask('ping')).toMatchObject({ result: 'pong' });
  });

  it.each([
    ['undefined', undefined],
    ['a function', explode],
    ['a symbol', Symbol('s')],
  ])('a result of %s is null', async (_what, result) => {
    await on().serve({ work: () => result, later: async () => result });
    expect(await peer.ask('work')).toMatchObject({ result: null, failure: null });
    expect(await peer.ask('later')).toMatchObject({ result: null, failure: null });
  });

  it('foreign thenables: throwing ones, impatient ones and nested ones each give one answer', async () => {
    type Settle = (value: unknown) => void;
    // oxlint-disable-next-line no-thenable -- that is what is tested
    const thenable = (then: (resolve: Settle, reject: Settle) => void): unknown => ({ then });
    const error = new Error('sync');
    await on().serve({
      throwing: () =>
        thenable(() => {
          throw error;
        }),
      // oxlint-disable-next-line no-thenable -- that is what is tested
      getter: () => Object.defineProperty({}, 'then', { get: explode }),
      twice: () =>
        thenable((resolve, reject) => {
          resolve('first');
          resolve('second');
          reject(error);
        }),
      andThrows: () =>
        thenable((resolve) => {
          resolve('kept');
          throw error;
        }),
      nested: () => thenable((resolve) => resolve(thenable((inner) => inner('inner')))),
      ping: () => 'pong',
    });
    expect(await peer.askForFailure('throwing')).toMatchObject({ message: 'sync' });
    expect(await peer.askForFailure('getter')).toMatchObject({ message: 'exploded' });
    expect(await peer.ask('twice')).toMatchObject({ result: 'first' });
    expect(await peer.ask('andThrows')).toMatchObject({ result: 'kept' });
    expect(await peer.ask('nested')).toMatchObject({ result: 'inner' });
    expect(await peer.ask('ping')).toMatchObject({ result: 'pong' });
    expect(peer.waiting).toEqual([]);
  });

  it('a failing cast is reported, and nobody is answered', async () => {
    const server = await on().serve({
      fail: () => {
        throw new Error('cast away');
      },
      ping: () => 'pong',
    });
    await peer.cast('fail');
    expect(await peer.ask('ping')).toMatchObject({ result: 'pong' });
    expect(on().eventsOf('handler-failed')).toMatchObject([{ method: 'fail', isCall: false, level: 'error' }]);
    expect(server.counters).toMatchObject({ dispatched: 2, failed: 1 });
  });
});

function explode(): never {
  throw new Error('exploded');
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
