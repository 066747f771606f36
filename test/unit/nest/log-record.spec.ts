import { expect, it } from 'vitest';
import { logRecordOf } from '../../../lib/nest/notifications/log-record.js';

it('a record tells no secrets of what JSON cannot write', () => {
  const circular: Record<string, unknown> = { password: 'hush' };
  circular.self = circular;
  const shared = { a: 1 };
  const { msg } = logRecordOf('log', { password: 'hush', big: 1n, list: [shared, shared] }, []);
  expect(msg).toBe('{"password":***,"big":"1","list":[{"a":1},{"a":1}]}');
  expect(logRecordOf('log', circular, []).msg).toBe('{"password":***,"self":"[Circular]"}');
});
