import { expect, it } from 'vitest';
import { isSameBus } from '../../../lib/config/transport-identity.js';
import { parseTransportUrl } from '../../../lib/config/transport-url.js';

it.each([
  ['rabbit://u:p@h1:5672/v', 'rabbit://other:***@H1/v', true],
  ['rabbit://h1,h2/v', 'rabbit://h2:5672/v', true],
  ['rabbit://localhost/', 'rabbit://127.0.0.1:5672/', true],
  ['rabbit://h1/v', 'rabbit://h1/w', false],
  ['rabbit://h1/v', 'rabbit://h1:5673/v', false],
  ['rabbit://h1/v', 'rabbit://h2/v', false],
  ['rabbit://h1/v', 'kafka://h1:5672/v', false],
])('%s and %s lead to one bus: %s', (one, other, isSame) => {
  expect(isSameBus(parseTransportUrl(one), parseTransportUrl(other))).toBe(isSame);
});
