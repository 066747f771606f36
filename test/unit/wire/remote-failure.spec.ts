import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RemoteFailure } from '../../../lib/index.js';

import { decodeFailure, encodeFailure } from '../../../lib/wire/rpc/remote-failure.js';

const FAILURE: RemoteFailure = {
  excType: 'ValueError',
  module: 'builtins',
  message: 'x',
  traceback: ['Traceback (most recent call last):\n', 'ValueError: x\n'],
  args: ['x', 1],
  kwargs: {},
};
const written = (failure: Partial<RemoteFailure>) => JSON.parse(encodeFailure({ ...FAILURE, ...failure })) as unknown;

describe('encoding', () => {
  it.each([
    ['Gone_Remote', 'nova.exception_Remote', 'Gone', 'nova.exception'],
    ['Gone_Remote', 'nova.exception', 'Gone_Remote', 'nova.exception'],
    ['Gone', 'nova_Remote', 'Gone', 'nova_Remote'],
  ])('names %s of %s as %s of %s', (excType, module, expectedClass, expectedModule) => {
    expect(written({ excType, module })).toMatchObject({ class: expectedClass, module: expectedModule });
  });

  it('sends as text only those arguments that JSON cannot hold', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const silent = {
      toJSON() {
        throw new Error('no');
      },
      toString() {
        throw new Error('never');
      },
    };
    expect(written({ args: [1, circle, silent, 2n ** 60n], kwargs: { a: circle, b: [2] } })).toMatchObject({
      args: [1, '[object Object]', '(not writable)', Number(2n ** 60n)],
      kwargs: { a: '[object Object]', b: [2] },
    });
  });
});

describe('decoding', () => {
  it('leaves empty what is missing', () => {
    expect(decodeFailure('{"class":"KeyError","module":"exceptions"}', 'exact')).toEqual({
      excType: 'KeyError',
      module: 'builtins',
      message: '',
      traceback: [],
      args: [],
      kwargs: {},
    });
  });

  it('leaves out what has the wrong type', () => {
    const text = '{"class":1,"module":[],"message":{},"tb":["a",1],"args":{},"kwargs":[]}';
    expect(decodeFailure(text, 'exact')).toEqual({
      excType: 'RemoteError',
      module: '',
      message: '',
      traceback: ['a'],
      args: [],
      kwargs: {},
    });
  });

  it.each(['', 'boom', '[]', 'null', '"x"', '{"class"'])('makes a RemoteError of %j', (text) => {
    const failure = decodeFailure(text, 'exact');
    expect(failure).toMatchObject({ excType: 'RemoteError', module: 'oslo_messaging.rpc.client' });
    expect(failure.message).toContain(text);
  });

  it('masks secrets of what it cannot read', () => {
    expect(decodeFailure('cannot reach rabbit://u:hunter2@h/', 'exact').message).toContain('rabbit://u:***@h/');
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(typeof decodeFailure(text, 'exact').excType).toBe('string');
      }),
    );
  });
});
