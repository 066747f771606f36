import { beforeEach, describe, expect, it } from 'vitest';
import {
  NoSuchMethod,
  RemoteError,
  remoteFailureOf,
  type RpcClientOptions,
  UnsupportedVersion,
} from '../../../lib/index.js';
import { capturesOf } from '../../golden/read-golden.js';
import type { RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

class HostNotFound extends Error {
  constructor(
    readonly host: unknown,
    readonly details?: { why?: string },
  ) {
    super(`no ${String(host)}`);
  }
}

describe('a failure of the peer', () => {
  const on = useRpcBus();
  let peer: RawPeer;

  beforeEach(async () => {
    peer = on().peer();
    await peer.serve();
  });

  const FAILURE = {
    class: 'HostNotFound',
    module: 'nova.exception',
    message: 'm',
    tb: ['l1\n'],
    args: ['h1'],
    kwargs: {},
  };

  async function revived(failure: unknown, options: RpcClientOptions = {}): Promise<unknown> {
    const outcome = on()
      .client(options)
      .call('get_host')
      .catch((error: unknown) => error);
    await peer.answer(await peer.next(), { failure: typeof failure === 'string' ? failure : JSON.stringify(failure) });
    return outcome;
  }

  it.each(capturesOf('reply_failure.'))('is a RemoteError with everything that %s holds', async (_name, capture) => {
    const error = await revived(capture.oslo_message_decoded['failure']);
    const { class: excType, module, message, tb, args, kwargs } = capture.failure_decoded!;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ excType, module, remoteMessage: message, remoteTraceback: tb, args, kwargs });
    expect(error).toMatchObject({ method: 'get_host', target: 'nova/conductor', fault: 'peer', retryable: false });
  });

  it.each(capturesOf('reply_failure_nosuchmethod'))('%s has its class', async (_name, capture) => {
    const error = await revived(capture.oslo_message_decoded['failure']);
    expect(error).toBeInstanceOf(NoSuchMethod);
    expect(error).toMatchObject({ method: '_private', message: capture.failure_decoded!['message'] });
  });

  it.each(capturesOf('reply_failure_unsupportedversion'))('%s has its class', async (_name, capture) => {
    const error = await revived(capture.oslo_message_decoded['failure']);
    expect(error).toBeInstanceOf(UnsupportedVersion);
    expect(error).toMatchObject({ version: '1.9', method: 'echo', message: capture.failure_decoded!['message'] });
  });

  it('becomes its registered class, built as Python builds it', async () => {
    const remoteExceptions = { 'nova.exception.HostNotFound': HostNotFound };
    const plain = await revived(FAILURE, { remoteExceptions });
    expect(plain).toBeInstanceOf(HostNotFound);
    expect(plain).toMatchObject({ host: 'h1', details: undefined, message: 'no h1' });
    const withKwargs = await revived({ ...FAILURE, kwargs: { why: 'x' } }, { remoteExceptions });
    expect(withKwargs).toMatchObject({ host: 'h1', details: { why: 'x' } });
    expect(remoteFailureOf(withKwargs)).toMatchObject({ excType: 'HostNotFound', module: 'nova.exception' });
  });

  it('only where its module is allowed, by its exact name', async () => {
    const remoteExceptions = { 'nova.exception.HostNotFound': HostNotFound };
    for (const allowedRemoteExmods of [[], ['nova'], ['nova.exception.sub'], ['builtins']]) {
      expect(await revived(FAILURE, { remoteExceptions, allowedRemoteExmods })).toBeInstanceOf(RemoteError);
    }
    expect(await revived(FAILURE, { remoteExceptions, allowedRemoteExmods: ['nova.exception'] })).toBeInstanceOf(
      HostNotFound,
    );
    expect(await revived({ ...FAILURE, module: 'nova' }, { remoteExceptions })).toBeInstanceOf(RemoteError);
  });

  it('Python 2’s module of builtins is builtins', async () => {
    const remoteExceptions = { 'builtins.KeyError': HostNotFound };
    const failure = { ...FAILURE, class: 'KeyError', module: 'exceptions' };
    expect(await revived(failure, { remoteExceptions })).toBeInstanceOf(HostNotFound);
  });

  it('a class that refuses the arguments leaves a RemoteError', async () => {
    class Picky extends Error {
      constructor() {
        super();
        throw new TypeError('not so');
      }
    }
    class NoError {}
    for (const type of [Picky, NoError as never]) {
      const remoteExceptions = { 'nova.exception.HostNotFound': type };
      expect(await revived(FAILURE, { remoteExceptions })).toBeInstanceOf(RemoteError);
    }
  });

  it('a frozen error is still a rejection', async () => {
    class Frozen extends Error {
      constructor() {
        super('frozen');
        Object.freeze(this);
      }
    }
    const remoteExceptions = { 'nova.exception.HostNotFound': Frozen };
    expect(await revived(FAILURE, { remoteExceptions })).toBeInstanceOf(Frozen);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'no class is picked by a name like %s',
    async (name) => {
      for (const failure of [
        { ...FAILURE, class: name, module: '' },
        { ...FAILURE, module: name },
      ]) {
        expect(await revived(failure, { allowedRemoteExmods: ['', name] })).toBeInstanceOf(RemoteError);
      }
    },
  );

  it.each([
    ['no JSON', 'boom'],
    ['a list', '[1]'],
    ['other kinds', JSON.stringify({ class: 1, module: {}, message: [], tb: 'x', args: {}, kwargs: [] })],
    ['nothing', '{}'],
    ['many arguments', JSON.stringify({ ...FAILURE, args: Array.from({ length: 200_000 }, () => 0) })],
  ])('that is odd (%s) is a RemoteError all the same', async (_what, failure) => {
    const remoteExceptions = { 'nova.exception.HostNotFound': HostNotFound };
    expect(await revived(failure, { remoteExceptions })).toSatisfy(
      (error: unknown) => error instanceof RemoteError || error instanceof HostNotFound,
    );
  });
});
