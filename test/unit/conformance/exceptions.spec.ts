import { beforeEach, describe, expect, it } from 'vitest';
import {
  expectedExceptions,
  RemoteError,
  remoteFailureOf,
  type RpcClientOptions,
  type Serializer,
} from '../../../lib/index.js';
import type { Scenario } from '../../support/scenarios.js';
import type { RawMessage, RawPeer } from '../rpc/support/raw-peer.js';
import { useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();
const MODULE = 'nova.exception';

class NovaStyleException extends Error {
  readonly kwargs: object;
  constructor(message?: string | object, kwargs: object = {}) {
    super(typeof message === 'string' ? message : 'I am Nova');
    this.kwargs = typeof message === 'object' ? message : kwargs;
  }
}

class KwargsStyleException extends NovaStyleException {
  constructor(kwargs: { who: string }) {
    super(`I am ${kwargs.who}`, kwargs);
  }
}

// SerializeRemoteExceptionTestCase.
describe('an exception on its way to the caller', () => {
  let peer: RawPeer;
  beforeEach(async () => {
    peer = on().peer();
    await peer.listenForReplies();
  });

  interface Serialized {
    error: () => Error;
    className: string;
    module: string;
    message: string;
    kwargs: object;
  }
  const cases: Scenario<Serialized>[] = [
    [
      'a builtin',
      { error: () => new Error('test'), className: 'Exception', module: 'builtins', message: 'test', kwargs: {} },
    ],
    [
      'one with the message of its class',
      {
        error: () => new NovaStyleException(),
        className: 'NovaStyleException',
        module: MODULE,
        message: 'I am Nova',
        kwargs: {},
      },
    ],
    [
      'one with a message of its own',
      {
        error: () => new NovaStyleException('testing'),
        className: 'NovaStyleException',
        module: MODULE,
        message: 'testing',
        kwargs: {},
      },
    ],
    [
      'one with keyword arguments',
      {
        error: () => new KwargsStyleException({ who: 'Oslo' }),
        className: 'KwargsStyleException',
        module: MODULE,
        message: 'I am Oslo',
        kwargs: { who: 'Oslo' },
      },
    ],
  ];

  it.each(cases)(
    'has class, module, message, arguments and traceback: %s',
    async (_name, { error, className, module, message, kwargs }) => {
      const fail = (): never => {
        throw error();
      };
      await on().serve(
        { fail },
        {
          pythonExceptions: [
            [KwargsStyleException, `${MODULE}.KwargsStyleException`],
            [NovaStyleException, `${MODULE}.NovaStyleException`],
          ],
        },
      );
      const { tb, ...failure } = await peer.askForFailure('fail');
      expect(failure).toEqual({ class: className, module, message, args: [message], kwargs });
      expect((tb as string[]).join('')).toContain(`${className}: ${message}`);
    },
  );

  it.each(cases)(
    'that came from elsewhere goes on without the suffix _Remote: %s',
    async (_name, { className, module, message, kwargs }) => {
      const elsewhere = on().peer();
      await elsewhere.serve('elsewhere');
      const client = on().client({}, { exchange: 'nova', topic: 'elsewhere' });
      await on().serve({ fail: () => client.call('fail') });
      const tb = [`${className}_Remote: ${message}\n`];
      const failing = peer.askForFailure('fail');
      await elsewhere.answer(await elsewhere.next(), {
        failure: JSON.stringify({
          class: `${className}_Remote`,
          module: `${module}_Remote`,
          message,
          tb,
          args: [message],
          kwargs,
        }),
      });
      expect(await failing).toEqual({ class: className, module, message, tb, args: [message], kwargs });
    },
  );
});

// DeserializeRemoteExceptionTestCase.
describe('a failure that arrives', () => {
  const FAILURE = {
    class: 'NovaStyleException',
    module: MODULE,
    message: 'test',
    tb: ['traceback\ntraceback\n'],
    args: [] as unknown[],
    kwargs: {},
  };
  const remoteExceptions = {
    'builtins.Exception': Error,
    'nova.exception.NovaStyleException': NovaStyleException,
    'nova.exception.KwargsStyleException': KwargsStyleException,
  };

  async function arrived(failure: RawMessage, options: RpcClientOptions): Promise<Error> {
    const peer = on().peer();
    await peer.serve();
    const outcome = on()
      .client(options)
      .call('fail')
      .catch((error: unknown) => error as Error);
    await peer.answer(await peer.next(), { failure: JSON.stringify(failure) });
    return (await outcome) as Error;
  }

  it.each<Scenario<{ failure: Partial<typeof FAILURE>; type: new (...args: never[]) => Error; message: string }>>([
    [
      'a builtin',
      { failure: { class: 'Exception', module: 'builtins', args: ['test'] }, type: Error, message: 'test' },
    ],
    [
      'a builtin of Python 2',
      { failure: { class: 'Exception', module: 'exceptions', args: ['test'] }, type: Error, message: 'test' },
    ],
    ['one without arguments', { failure: {}, type: NovaStyleException, message: 'I am Nova' }],
    ['one with a message', { failure: { args: ['testing'] }, type: NovaStyleException, message: 'testing' }],
    [
      'one with keyword arguments',
      {
        failure: { class: 'KwargsStyleException', kwargs: { who: 'Oslo' } },
        type: KwargsStyleException,
        message: 'I am Oslo',
      },
    ],
  ])(
    'ours: is of its registered class itself, and keeps message and traceback apart: %s',
    async (_name, { failure, type, message }) => {
      const error = await arrived({ ...FAILURE, ...failure }, { remoteExceptions });
      expect(error).toBeInstanceOf(type);
      expect(error.constructor).toBe(type);
      expect(error.message).toBe(message);
      // In Python `str()` of it is this: message and traceback.
      const { message: remoteMessage, traceback } = remoteFailureOf(error)!;
      expect([remoteMessage, ...traceback].join('\n')).toBe('test\ntraceback\ntraceback\n');
    },
  );

  class NeedsNothing extends Error {
    constructor(...args: unknown[]) {
      super('test');
      if (args.length > 0) throw new TypeError('takes no arguments');
    }
  }
  class NoException {}

  it.each<Scenario<{ failure: Partial<typeof FAILURE>; options: RpcClientOptions }>>([
    ['of a module that is not allowed', { failure: {}, options: { remoteExceptions, allowedRemoteExmods: [] } }],
    [
      'of a module that is allowed and not there',
      { failure: { class: 'Exception', module: 'notexist' }, options: { allowedRemoteExmods: ['notexist'] } },
    ],
    [
      'of a class that there is not',
      { failure: { class: 'FarcicalError', module: 'builtins' }, options: { remoteExceptions } },
    ],
    [
      'with a keyword argument that its class does not know',
      {
        failure: { class: 'Exception', module: 'builtins', kwargs: { foobar: 'blaa' } },
        options: { remoteExceptions: { 'builtins.Exception': NeedsNothing } },
      },
    ],
    [
      'of a class that is no exception',
      {
        failure: { class: 'SystemExit', module: 'builtins' },
        options: { remoteExceptions: { 'builtins.SystemExit': NoException as never } },
      },
    ],
    [
      'ours: of a builtin that is not registered',
      { failure: { class: 'ValueError', module: 'builtins' }, options: {} },
    ],
  ])('is a RemoteError with type, value and traceback: %s', async (_name, { failure, options }) => {
    const sent = { ...FAILURE, ...failure };
    const error = await arrived(sent, options);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      name: 'RemoteError',
      excType: sent.class,
      module: sent.module,
      remoteMessage: 'test',
      remoteTraceback: ['traceback\ntraceback\n'],
    });
  });
});

// TestRPCServer's test_failure and test_expected_failure.
describe('what a handler throws reaches the caller', () => {
  const serializer: Serializer = {
    serializeEntity: (_context, entity) => `s${String(entity)}`,
    deserializeEntity: (_context, entity) => `d${String(entity)}`,
    serializeContext: (context) => context,
    deserializeContext: (context) => context,
  };
  const ping = ({ arg }: { arg: string }): never => {
    throw new RangeError(arg);
  };

  it.each([
    ['is told at level error', ping, { level: 'error', expected: false }],
    [
      'that is expected is told at level debug alone',
      expectedExceptions((args: { arg: string }) => ping(args), RangeError),
      { level: 'debug', expected: true },
    ],
  ])('and %s', async (_name, handler, told) => {
    await on().serve({ ping: handler }, { serializer });
    const client = on().client({ serializer, remoteExceptions: { 'builtins.ValueError': RangeError } });
    const error = await client.call('ping', { arg: 'foo' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'dsfoo' });
    expect(on().eventsOf('handler-failed')).toMatchObject([{ method: 'ping', ...told }]);
    expect(on().events.filter(({ level }) => level === 'error')).toHaveLength(told.expected ? 0 : 1);
  });
});
