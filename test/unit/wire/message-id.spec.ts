import { expect, it } from 'vitest';

import { newMessageId, newUniqueId } from '../../../lib/wire/message-id.js';

it('makes version 4 UUIDs without dashes, none twice', () => {
  const ids = Array.from({ length: 1000 }, newUniqueId);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
});

it('makes version 4 UUIDs with dashes', () => {
  expect(newMessageId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
