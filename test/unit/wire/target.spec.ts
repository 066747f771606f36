import { expect, it } from 'vitest';

import { describeTarget } from '../../../lib/wire/target.js';

it.each([
  [{ exchange: 'nova', topic: 'conductor', server: 'h1' }, 'nova/conductor.h1'],
  [{ topic: 'conductor' }, 'conductor'],
  [{ topic: 'conductor', fanout: true }, 'conductor (fanout)'],
  [{}, '(no topic)'],
])('%j is %s', (target, text) => {
  expect(describeTarget(target)).toBe(text);
});
