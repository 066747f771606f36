import { describe, expect, it } from 'vitest';
import { fieldsOf, notificationLine, seenNotification } from '../../../lib/cli/traffic/notification-lines.js';
import { painted } from '../../../lib/cli/tone.js';
import { decodeNotification } from '../../../lib/wire/notification.js';

const flavor = {
  'nova_object.name': 'FlavorPayload',
  'nova_object.namespace': 'nova',
  'nova_object.version': '1.4',
  'nova_object.data': { name: 'm1.small', vcpus: 1 },
};
const versioned = {
  'nova_object.name': 'InstancePayload',
  'nova_object.namespace': 'nova',
  'nova_object.version': '1.12',
  'nova_object.data': { uuid: 'i1', flavor },
};

function received(payload: unknown, changes: object = {}) {
  return decodeNotification({
    event_type: 'instance.create.end',
    publisher_id: 'compute.h1',
    priority: 'INFO',
    message_id: 'm1',
    timestamp: '2024-02-29 12:34:56.789000',
    _context_request_id: 'req-1111aaaa-2222',
    payload,
    ...changes,
  });
}

describe('what is seen of a notification', () => {
  it('is unwrapped, whose object it was is told', () => {
    expect(seenNotification(received(versioned), 'unwrapped')).toMatchObject({
      object: { name: 'InstancePayload', namespace: 'nova', version: '1.12' },
      payload: { uuid: 'i1', flavor: { name: 'm1.small', vcpus: 1 } },
    });
    expect(seenNotification(received([versioned]), 'unwrapped')).toMatchObject({ payload: [{ uuid: 'i1' }] });
  });

  it('raw is as it came', () => {
    const seen = seenNotification(received(versioned), 'raw');
    expect(seen.payload).toEqual(versioned);
    expect(seen).not.toHaveProperty('object');
  });

  it('as a line has the publisher’s time, and words without quotes', () => {
    const { payload, ...seen } = seenNotification(received(versioned), 'unwrapped');
    expect(painted(notificationLine({ ...seen, payload }, payload), false, String).split(/ {2,}/)).toEqual([
      '12:34:56.789',
      'INFO',
      'instance.create.end',
      'compute.h1',
      'req-1111aaaa',
      'uuid=i1 flavor={"name":"m1.small","vcpus":1}',
    ]);
  });

  it.each([
    ['CRITICAL', 'bad'],
    ['ERROR', 'bad'],
    ['WARN', 'doubtful'],
  ])('the priority %s is toned', (priority, tone) => {
    const seen = { ...seenNotification(received({ n: 1 }), 'raw'), priority };
    const line = notificationLine(seen, seen.payload);
    expect(line).toMatchObject({ before: '12:34:56.789  ', word: priority, tone });
    const ofInfo = notificationLine({ ...seen, priority: 'INFO' }, seen.payload);
    const untoned = painted(line, false, String).replace(priority.padEnd(8), 'INFO    ');
    expect(untoned).toBe(ofInfo);
  });

  it('a long payload is cut, fields that were asked for are not', () => {
    const seen = seenNotification(received({ text: 'x y'.repeat(200), n: 1 }), 'raw');
    expect(notificationLine(seen, seen.payload)).toMatch(/text="[xy ]{114}…$/);
    expect(notificationLine(seen, seen.payload, Infinity)).toMatch(/ n=1$/);
  });

  it.each([[null], ['text'], [12], [[1, 2]]])('a payload that is no object, %j, is shown', (payload) => {
    const seen = seenNotification(received(payload, { timestamp: 'nonsense', publisher_id: null }), 'unwrapped');
    expect(notificationLine(seen, seen.payload)).toContain(JSON.stringify(payload));
  });

  it('fields are found by their paths, and null where they are missing', () => {
    expect(
      fieldsOf({ a: { b: 1 }, list: [{ c: 2 }] }, [
        ['a', 'b'],
        ['list', '0', 'c'],
        ['none', 'x'],
      ]),
    ).toEqual({
      'a.b': 1,
      'list.0.c': 2,
      'none.x': null,
    });
  });
});
