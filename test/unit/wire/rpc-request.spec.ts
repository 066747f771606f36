import { describe, expect, it } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';

import { decodeRequest, encodeRequest, type RpcRequest } from '../../../lib/wire/rpc/rpc-request.js';

const CAST: RpcRequest = { method: 'm', args: {}, uniqueId: 'u1', context: {} };

/** An object with an own key `__proto__`, as it comes out of JSON. */
const poisoned = JSON.parse('{"__proto__": {"isAdmin": true}, "a": 1}') as Record<string, unknown>;

describe('encoding', () => {
  it.each([
    ['arguments', { ...CAST, args: poisoned }],
    ['context', { ...CAST, context: poisoned }],
  ])('refuses __proto__ as a key of the %s', (_, request) => {
    expect(() => encodeRequest(request)).toThrow(MalformedMessage);
  });

  it('leaves nested keys __proto__ to the receiver', () => {
    expect(encodeRequest({ ...CAST, args: { nested: poisoned } })).toContain(
      String.raw`\"__proto__\":{\"isAdmin\":true}`,
    );
  });

  it('refuses what JSON cannot hold', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => encodeRequest({ ...CAST, args: circle })).toThrow(MalformedMessage);
  });

  it('writes big integers as digits', () => {
    expect(encodeRequest({ ...CAST, args: { n: 2n ** 60n } })).toContain(String.raw`\"n\":1152921504606846976`);
  });
});

describe('decoding what no Python client sends', () => {
  const CALL = { method: 'm', args: {}, _msg_id: 'i', _reply_q: 'q', _unique_id: 'u', _timeout: 4 };

  it.each<[string, Record<string, unknown>]>([
    ['no method', { ...CALL, method: undefined }],
    ['a method that is a number', { ...CALL, method: 5 }],
    ['args that are a list', { ...CALL, args: [1] }],
    ['args that are null', { ...CALL, args: null }],
    ['args that are a string', { ...CALL, args: 'x' }],
    ['a namespace that is a number', { ...CALL, namespace: 5 }],
    ['a version that is a number', { ...CALL, version: 1.0 }],
    ['a version that is null', { ...CALL, version: null }],
    ['__proto__ as an argument', { ...CALL, args: poisoned }],
    ['__proto__ as a context key', { ...CALL, _context___proto__: { isAdmin: true } }],
  ])('%s is a problem that its caller can be told', (_, message) => {
    const request = decodeRequest(message);
    expect(request.problem).toBeInstanceOf(MalformedMessage);
    expect(request).toMatchObject({ msgId: 'i', replyQueue: 'q', uniqueId: 'u', callMonitorTimeout: 4 });
  });

  it('an empty object is a problem nobody can be told', () => {
    const { problem, ...request } = decodeRequest({});
    expect(problem).toBeInstanceOf(MalformedMessage);
    expect(request).toEqual({ method: '', args: {}, namespace: null, version: '1.0', context: {} });
  });

  it('ids and timeouts of another type count as absent', () => {
    const request = decodeRequest({ method: 'm', args: {}, _msg_id: 1, _reply_q: {}, _unique_id: [], _timeout: '4' });
    expect(request).toEqual({ method: 'm', args: {}, namespace: null, version: '1.0', context: {} });
  });

  it('a poisoned context changes nothing but itself', () => {
    const { context } = decodeRequest(
      JSON.parse('{"method":"m","_context___proto__":{"isAdmin":true},"_context_user":"u"}'),
    );
    expect(context).toEqual({ user: 'u' });
    expect('isAdmin' in context).toBe(false);
  });

  it('absent args, namespace and version have the defaults of Python', () => {
    expect(decodeRequest({ method: 'm' })).toEqual({
      method: 'm',
      args: {},
      namespace: null,
      version: '1.0',
      context: {},
    });
  });
});
