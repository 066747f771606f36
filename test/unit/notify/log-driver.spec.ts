import { describe, expect, it, vi } from 'vitest';
import {
  MalformedMessage,
  NOTIFICATION_PRIORITIES,
  type NotificationDriverName,
  NotifierCore,
} from '../../../lib/index.js';

import { readGolden } from '../../golden/read-golden.js';
import { TestBus } from './memory-brokers.js';

const record = () => vi.fn<(message: string, context: string) => void>();
const loggerOf = () => ({ log: record(), warn: record(), error: record(), debug: record(), fatal: record() });

const circular: Record<string, unknown> = {};
circular.self = circular;
let nested: unknown = [];
for (let depth = 0; depth < 100_000; depth += 1) nested = [nested];

describe('the driver log', () => {
  it('writes by priority, under the name of the event type', async () => {
    const logger = loggerOf();
    const notifier = new NotifierCore(undefined, { driver: 'log', logger });
    for (const priority of NOTIFICATION_PRIORITIES) await notifier.notify(priority, `a.${priority}`, {});
    const names = Object.values(logger).map((method) => method.mock.calls.map((call) => call[1]));
    expect(names).toEqual([
      ['audit', 'info', 'sample'].map((priority) => `oslo.messaging.notification.a.${priority}`),
      ['oslo.messaging.notification.a.warn'],
      ['oslo.messaging.notification.a.error'],
      ['oslo.messaging.notification.a.debug'],
      ['oslo.messaging.notification.a.critical'],
    ]);
  });

  it('makes do with a logger of three methods', async () => {
    const { log, warn, error } = loggerOf();
    const notifier = new NotifierCore(undefined, { driver: 'log', logger: { log, warn, error } });
    await notifier.debug('a', {});
    await notifier.critical('a', {});
    expect([log.mock.calls.length, error.mock.calls.length]).toEqual([1, 1]);
  });

  it('writes the keys that Python writes, secrets masked however deep', async () => {
    const logger = loggerOf();
    const notifier = new NotifierCore(undefined, { driver: 'log', logger, publisherId: 'p' });
    const payload = {
      user: 'u',
      password: 's3cret1',
      nested: [{ admin_pass: 's3cret2', auth_token: ['s3cret3'], configdrive: { x: 's3cret4' } }],
      url: 'rabbit://guest:s3cret5@host/',
      text: '{"new_password": "s3cret6"}',
      absent_password: null,
      big: 2n ** 60n,
    };
    await notifier.info('a', payload, { context: { auth_token: 's3cret7', user: 'u' } });
    const text = logger.log.mock.calls[0]![0];
    expect(text).not.toContain('s3cret');
    expect(JSON.parse(text)).toMatchObject({
      publisher_id: 'p',
      event_type: 'a',
      priority: 'INFO',
      payload: { user: 'u', password: '***', nested: [{ admin_pass: '***' }], absent_password: null },
    });
  });

  it.each([
    ['circular', circular],
    ['nested too deeply', nested],
    [
      'failing on its way',
      {
        toJSON() {
          throw new TypeError('no');
        },
      },
    ],
  ])('fails at a payload that is %s as the messaging drivers do', async (_, payload) => {
    const logger = loggerOf();
    const failure = async (driver: NotificationDriverName): Promise<unknown> => {
      const notifier = new NotifierCore(new TestBus().open(), { driver, logger });
      return notifier.info('a', payload).catch((error: unknown) => error);
    };
    const logged = await failure('log');
    expect(logged).toBeInstanceOf(MalformedMessage);
    expect(logged).toMatchObject({ fault: 'caller', retryable: false });
    expect((logged as Error).message).toBe(((await failure('messagingv2')) as Error).message);
    expect(logger.log).not.toHaveBeenCalled();
  });

  it('masks every key that oslo.utils masks', async () => {
    const { sanitize_keys: keys } = readGolden('oslo_sanitize_keys.json') as { sanitize_keys: string[] };
    const logger = loggerOf();
    const notifier = new NotifierCore(undefined, { driver: 'log', logger });
    await notifier.info('a', Object.fromEntries(keys.map((key) => [key, 's3cret'])));
    const { payload } = JSON.parse(logger.log.mock.calls[0]![0]) as { payload: Record<string, string> };
    expect(Object.entries(payload).filter(([, shown]) => shown !== '***')).toEqual([]);
  });
});
