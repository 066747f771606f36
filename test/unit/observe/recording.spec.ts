import { describe, expect, it } from 'vitest';
import { MalformedMessage } from '../../../lib/index.js';
import { RecordingReader, writeHead, writeRecord } from '../../../lib/observe/traffic/recording.js';
import type { TrafficRecord } from '../../../lib/observe/traffic/traffic-record.js';

const head = writeHead({ at: '2026-01-01T00:00:00Z', source: 'firehose', url: 'rabbit://u:***@h/', masked: true });
const record: TrafficRecord = {
  t: 1,
  ev: 'publish',
  exchange: 'nova',
  key: 'conductor',
  routed: ['conductor'],
  size: 12,
  message: { method: 'ping', args: { big: 12345678901234567890n } },
};

describe('a recording', () => {
  it('is read as it was written, integers of any size too', () => {
    const reader = new RecordingReader();
    expect(reader.read(head)).toBeUndefined();
    expect(reader.head).toMatchObject({ v: 1, source: 'firehose', masked: true });
    expect(reader.read(writeRecord(record))).toEqual(record);
    expect(reader.read('')).toBeUndefined();
  });

  it.each([
    ['no recording', '{"v":1}', 'no recording'],
    ['of a version to come', '{"oslo-bus":"recording","v":2}', 'version 2'],
    ['without its facts', '{"oslo-bus":"recording","v":1}', 'lacks'],
    ['no JSON', 'nonsense', 'not JSON'],
    ['no object', '[1]', 'not an object'],
  ])('is refused: %s', (_what, line, reason) => {
    expect(() => new RecordingReader().read(line)).toThrow(MalformedMessage);
    expect(() => new RecordingReader().read(line)).toThrow(reason);
  });

  it.each(Object.keys(record))('a record is refused whose %s is something else', (field) => {
    const reader = new RecordingReader();
    reader.read(head);
    expect(() => reader.read(JSON.stringify({ ...record, message: {}, [field]: [[1]] }))).toThrow(`line 2`);
  });

  it.each([
    ['t', -1],
    ['t', 8.64e15 + 2],
    ['size', -1],
    ['expirationMs', -1],
    ['size', 1e300],
  ])('a record is refused whose %s is %d: nothing can be that', (field, value) => {
    const reader = new RecordingReader();
    reader.read(head);
    const text = JSON.stringify({ ...record, message: {}, [field]: value });
    expect(() => reader.read(text)).toThrow(`its '${field}'`);
  });

  it('keys that nobody knows are left out', () => {
    const reader = new RecordingReader();
    reader.read(head);
    const read = reader.read('{"t":1,"ev":"publish","exchange":"","key":"k","size":1,"__proto__":{"x":1},"other":1}');
    expect(read).toEqual({ t: 1, ev: 'publish', exchange: '', key: 'k', size: 1 });
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });
});
