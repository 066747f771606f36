import { describe, expect, it } from 'vitest';
import { RemoteError } from '../../../lib/index.js';
import { useRpcBus } from './support/rpc-bus.js';

const on = useRpcBus();

/** What a caller is told of a handler that ends so. */
async function toldOf(handler: () => unknown): Promise<{ remote: RemoteError; text: string }> {
  await on().serve({ work: handler });
  const remote = (await on()
    .client()
    .call('work')
    .catch((error: unknown) => error)) as RemoteError;
  expect(remote).toBeInstanceOf(RemoteError);
  return { remote, text: [remote.remoteMessage, ...remote.remoteTraceback].join('') };
}

describe('a caller is told', () => {
  it('what led to a failure, in the order of Python’s tracebacks', async () => {
    const { text } = await toldOf(() => {
      throw new Error('saving failed', { cause: new TypeError('disk is full') });
    });
    expect(text).toMatch(
      /TypeError: disk is full\n\nThe above exception was the direct cause of the following exception:\n\nTraceback[^]*saving failed\n$/,
    );
  });

  it('each of several failures', async () => {
    const { text } = await toldOf(() =>
      Promise.any([Promise.reject(new Error('host a: refused')), Promise.reject(new Error('host b: refused'))]),
    );
    expect(text).toContain('host a: refused');
    expect(text).toContain('host b: refused');
  });

  it.each<[string, unknown, RegExp]>([
    [
      'toJSON',
      {
        toJSON: () => {
          throw new RangeError('price is negative');
        },
      },
      /RangeError: price is negative/,
    ],
    [
      'a getter',
      {
        get a(): never {
          throw new TypeError('lazy relation not loaded');
        },
      },
      /TypeError: lazy relation not loaded/,
    ],
  ])('why an answer cannot be written, by a failing %s', async (_what, result, reason) => {
    const { text } = await toldOf(() => result);
    expect(text).toMatch(reason);
    expect(text).not.toContain('too deeply');
  });

  it('the name that an error has been given, where its class has a minified one', async () => {
    const a = class a extends Error {
      override name = 'QuotaExceeded';
    };
    const { remote } = await toldOf(() => {
      throw new a('no room');
    });
    expect(remote).toMatchObject({ excType: 'QuotaExceeded', module: 'nestjs' });
  });

  it.each([
    [class HostNotFound extends Error {}, 'HostNotFound'],
    [class BadFlavor extends TypeError {}, 'BadFlavor'],
    [
      class extends Error {
        override name = 'not an identifier';
      },
      'Exception',
    ],
  ])('else that of its class: %s', async (type, excType) => {
    const { remote } = await toldOf(() => {
      throw new type('no');
    });
    expect(remote.excType).toBe(excType);
  });
});
