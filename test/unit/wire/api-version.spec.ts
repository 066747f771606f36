import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../lib/index.js';

import {
  checkApiVersion,
  highestVersion,
  isVersionCompatible,
  majorOf,
  parseApiVersion,
} from '../../../lib/wire/rpc/api-version.js';

// The cases of oslo.messaging's own VersionIsCompatibleTestCase, and what its function gave for others.
it.each([
  ['1.23', '1.23', true],
  ['1.24', '1.23', true],
  ['1.22', '1.23', false],
  ['2.23', '1.23', false],
  ['1.23', '2.23', false],
  ['1.23', '1.23.1', false],
  ['1.23.1', '1.23.2', false],
  ['1.23.2', '1.23.1', true],
  ['1.24', '1.23.1', true],
  ['1.23.0', '1.23', true],
  ['1.10', '1.9', true],
  ['1.9', '1.10', false],
  ['1.6', '1.5.9', true],
  [null, '1.0', true],
  ['1.0', null, false],
  [null, null, true],
])('implemented %s, requested %s: %s', (implemented, requested, compatible) => {
  expect(isVersionCompatible(requested, implemented)).toBe(compatible);
});

it.each(['1', 'x', '', '1.x', '1.0.x', '-1.0', '1.0 '])('what is no version (%j) is served by nothing', (requested) => {
  expect(isVersionCompatible(requested, '1.0')).toBe(false);
  expect(isVersionCompatible('1.0', requested)).toBe(false);
});

describe('a version of our own', () => {
  it('is taken apart', () => {
    expect(checkApiVersion('1.2.3')).toEqual({ major: 1, minor: 2, revision: 3 });
    expect(parseApiVersion('10.20')).toEqual({ major: 10, minor: 20, revision: 0 });
    expect(majorOf('10.20')).toBe(10);
  });

  it('is refused where it is none', () => {
    expect(() => checkApiVersion('1')).toThrow(ConfigurationError);
    expect(() => checkApiVersion(1.5 as unknown as string)).toThrow(ConfigurationError);
    expect(majorOf('one')).toBeUndefined();
  });

  it('is compared by numbers', () => {
    expect(highestVersion(['1.9', '1.10', 'x', '1.10.1', '1.2.9'])).toBe('1.10.1');
    expect(highestVersion([])).toBeUndefined();
  });
});
