import { expect, it } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';

import { decodeReply, encodeReply } from '../../../lib/wire/rpc/rpc-reply.js';

const enclosed = (body: string) => JSON.parse((JSON.parse(body) as Record<string, string>)['oslo.message']!) as unknown;

it.each([
  ['undefined', undefined],
  ['a function', () => 0],
  ['NaN', Number.NaN],
])('%s as a result is null', (_, result) => {
  const body = encodeReply({ msgId: 'i', result, failure: null, ending: true, uniqueId: 'u' });
  expect(enclosed(body)).toEqual({ result: null, failure: null, ending: true, _msg_id: 'i', _unique_id: 'u' });
});

it('refuses a result that JSON cannot hold', () => {
  const result: unknown[] = [];
  result.push(result);
  expect(() => encodeReply({ msgId: 'i', result, failure: null, ending: true })).toThrow(MalformedMessage);
});

it('understands the second message of the old pair, which has no result', () => {
  expect(decodeReply({ failure: null, ending: true, _msg_id: 'i' })).toEqual({
    msgId: 'i',
    result: null,
    failure: null,
    ending: true,
  });
});

it.each([
  [undefined, null],
  ['', null],
  [false, null],
  [{ class: 'KeyError', module: 'builtins' }, '{"class":"KeyError","module":"builtins"}'],
  [['x'], '["x"]'],
])('takes failure %j as %j', (failure, text) => {
  expect(decodeReply({ result: 1, failure, ending: true, _msg_id: 'i' }).failure).toBe(text);
});

it('takes a reply without ending as one that others follow, as Python does', () => {
  expect(decodeReply({ result: 1, failure: null, _msg_id: 'i' }).ending).toBe(false);
});

it.each([{}, { _msg_id: 5 }, { _msg_id: null, result: 1 }])('refuses a reply to nobody: %j', (message) => {
  expect(() => decodeReply(message)).toThrow(MalformedMessage);
});
