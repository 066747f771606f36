import {
  type ListenersBehind,
  type MessagingEvent,
  type NotificationDeserializer,
  NotificationFilter,
  type NotificationSerializer,
  NotifierCore,
  type OsloFilterRules,
  type TextPattern,
} from 'nestjs-oslo-messaging';
import { expect, expectTypeOf, it } from 'vitest';

// That these names can be imported is proved by the compiler.

it('a filter’s rules can be declared apart', () => {
  const ends: TextPattern = { matches: (text) => text.endsWith('.end') };
  const rules: OsloFilterRules = { event_type: '^compute' };
  const event = { eventType: 'compute.create.end', context: {}, metadata: {}, payload: null };
  expect(new NotificationFilter({ eventType: ends }).matches(event)).toBe(true);
  expect(NotificationFilter.fromOslo(rules).matches(event)).toBe(true);
});

it('so can serializers of one direction', async () => {
  const serializer: NotificationSerializer = {
    serializeEntity: (_, entity) => ({ entity }),
    serializeContext: () => ({}),
  };
  const notifier = new NotifierCore(undefined, { driver: 'test', serializer });
  await notifier.info('a', 1);
  expect(notifier.testLog.notifications[0]!.payload).toEqual({ entity: 1 });
  expectTypeOf<NotificationDeserializer>().toHaveProperty('deserializeEntity');
});

it('the report that listeners do not keep up is one of all', () => {
  expectTypeOf<ListenersBehind>().toExtend<MessagingEvent>();
});
