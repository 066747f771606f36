import { describe, expect, it } from 'vitest';
import { conditionOf, pathOf, valueAt } from '../../../lib/cli/traffic/where.js';

const value = {
  payload: { state: 'active', size: 12, big: 2n ** 60n, none: null, list: [{ name: 'a' }], text: 'a=b!=c' },
};
const fits = (text: string) => conditionOf(text, ['payload', 'context'])(value);

describe('a condition', () => {
  it.each([
    'payload.state=active',
    'payload.size=12',
    'payload.big=1152921504606846976',
    'payload.none=null',
    'payload.list.0.name=a',
    'payload.text=a=b!=c',
    'payload.state!=error',
    'payload.missing!=active',
    'payload.state.length!=6',
    'payload.state~act*',
    'payload.state~[a-c]ctive',
    'payload.size~1?',
  ])('%s is fulfilled', (text) => expect(fits(text)).toBe(true));

  it.each([
    'payload.state=Active',
    'payload.state=',
    'payload.missing=active',
    'payload.missing~*',
    'payload.list~*',
    'payload.state!=active',
    'context.request_id=req-1',
    'payload.constructor~*',
    'payload.__proto__~*',
    'payload.list.1.name=a',
  ])('%s is not', (text) => expect(fits(text)).toBe(false));

  it.each(['payload.state', '', '=x', 'payload..state=x', 'state=active', 'constructor=x', '.payload=x'])(
    '%j is none',
    (text) => expect(() => fits(text)).toThrow(expect.objectContaining({ name: 'UsageError' })),
  );
});

it('a path leads to what stands there, and nowhere else', () => {
  expect(valueAt(value, pathOf('payload.list.0'))).toEqual({ name: 'a' });
  expect(valueAt(value, pathOf('payload.none.more'))).toBeUndefined();
  expect(valueAt('text', ['length'])).toBeUndefined();
});
