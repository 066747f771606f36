import { AssertionError } from 'node:assert';
import { expect, it } from 'vitest';
import { NotificationModule } from '../../../lib/index.js';
import { expectNotification } from '../../../lib/testing/index.js';
import { startNotifying } from '../nest/notification-apps.js';

const payload = { id: 'i-1', image: { name: 'debian', tags: ['a', 'b'] }, size: null };

async function notified() {
  const started = await startNotifying({ driver: 'test', publisherId: 'compute.host1' }, {});
  const context = { request_id: 'req-1', user: 'u' };
  await started.notifier.info('compute.instance.create', payload, { context });
  await started.notifier.error('compute.instance.create', 'failed');
  return started;
}

it.each([
  [{}, 'error'],
  [{ eventType: 'compute.instance.create', priority: 'info' }, 'info'],
  [{ eventType: 'compute.*', publisherId: /host1$/ }, 'error'],
  [{ payload: { id: 'i-1' } }, 'info'],
  [{ payload: { id: expect.any(String) as string, image: { tags: ['a', expect.stringMatching(/^b/)] } } }, 'info'],
  [{ payload: { size: null }, context: { user: 'u' } }, 'info'],
  [{ payload: 'failed' }, 'error'],
] as const)('finds the last one that is %o', async (expected, priority) => {
  const { app } = await notified();
  expect(expectNotification(app, expected)).toMatchObject({ priority, eventType: 'compute.instance.create' });
});

it.each([
  { eventType: 'compute' },
  { priority: 'warn' },
  { publisherId: 'compute' },
  { payload: { id: 'i-2' } },
  { payload: { gone: undefined } },
  { payload: { image: { tags: ['a'] } } },
  { payload: [] },
  { payload: { image: [] } },
  { payload: undefined },
  { context: { user: 'v' } },
] as const)('complains that there is none that is %o', async (expected) => {
  const { app } = await notified();
  expect(() => expectNotification(app, expected)).toThrow(AssertionError);
});

it('says what was sent instead, and points at the caller', async () => {
  const { app, notifier } = await notified();
  const asked = () => expectNotification(app, { eventType: 'volume.*' });
  expect(asked).toThrow(/volume\.\*[^]*all that were sent:[^]*compute\.instance\.create[^]*'failed'/);
  expect(asked).toThrow(expect.objectContaining({ stack: expect.stringMatching(/^[^]*?\n\s+at .*asked/) }));
  notifier.testLog.clear();
  expect(asked).toThrow("none was kept at all (it takes the driver 'test')");
  for (let n = 0; n < 12; n += 1) await notifier.debug('many', n);
  expect(asked).toThrow('the last 10 of 12 were sent');
});

it('looks at the named notifier', async () => {
  const imports = [NotificationModule.forFeature([{ name: 'AUDIT', publisherId: 'audit' }])];
  const { app } = await startNotifying({ driver: 'test' }, { imports });
  await app.get('Notifier(AUDIT)', { strict: false }).audit('login', {});
  expect(expectNotification(app, { priority: 'audit' }, { notifier: 'AUDIT' }).publisherId).toBe('audit');
  expect(() => expectNotification(app, {})).toThrow('none was kept');
});
