import { Injectable, Logger } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type NotificationModuleOptions,
  NotifierCore,
  OnNotification,
  OsloLogger,
  type OsloLoggerOptions,
} from '../../../lib/index.js';
import { stillKept } from '../../support/garbage.js';
import { type AppParts, newRecordingLogger, startNotifying } from './notification-apps.js';

/** What the usual logger writes. */
const written = newRecordingLogger();

async function loggingApp(
  options: NotificationModuleOptions,
  loggerOptions: OsloLoggerOptions = {},
  parts: AppParts = {},
) {
  const started = await startNotifying({ driver: 'test', logEvents: true, ...options }, parts);
  for (const write of Object.values(written)) write.mockClear();
  const osloLogger = new OsloLogger(started.notifier, { logger: written, ...loggerOptions });
  Logger.overrideLogger(osloLogger);
  onTestFinished(() => Logger.overrideLogger(false));
  const sent = () => started.notifier.testLog.notifications;
  return { ...started, osloLogger, sent };
}

describe('a record', () => {
  it('is written, and sent by its level with the keys of Python', async () => {
    const { sent } = await loggingApp({});
    const logger = new Logger('Scheduler');
    logger.log('scheduled 3 jobs');
    logger.warn('late');
    logger.fatal('gone');
    logger.debug('not sent unless asked for');
    expect(written.log).toHaveBeenCalledExactlyOnceWith('scheduled 3 jobs', 'Scheduler');
    expect(written.debug).toHaveBeenCalledOnce();
    const summary = sent().map(({ priority, eventType, payload }) => {
      const { levelname, levelno, msg } = payload as Record<string, unknown>;
      return [priority, eventType, levelname, levelno, msg];
    });
    expect(summary).toEqual([
      ['info', 'logrecord', 'INFO', 20, 'scheduled 3 jobs'],
      ['warn', 'logrecord', 'WARNING', 30, 'late'],
      ['critical', 'logrecord', 'CRITICAL', 50, 'gone'],
    ]);
    // The keys that LoggingNotificationHandler.emit sends.
    expect(Object.keys(sent()[0]!.payload as object).toSorted()).toEqual(
      'exc_info extra funcName levelname levelno lineno msg name pathname process processName thread'.split(' '),
    );
    expect(sent()[0]!.payload).toMatchObject({ name: 'Scheduler', process: process.pid, exc_info: null, extra: null });
  });

  it('of an error is an error_notification as well, where that is wanted', async () => {
    const { sent } = await loggingApp({ publisherId: 'error.publisher' }, { levels: [], errorNotifications: true });
    const logger = new Logger('Db');
    logger.warn('late');
    logger.error(new TypeError('cannot reach mysql://root:hush@db/'));
    logger.fatal('gone');
    // As PublishErrorsHandler.emit sends them.
    expect(sent()).toMatchObject([
      { priority: 'error', eventType: 'error_notification', publisherId: 'error.publisher' },
      { priority: 'error', eventType: 'error_notification', payload: { error: 'gone' } },
    ]);
    expect(sent()[0]!.payload).toEqual({ error: 'cannot reach mysql://root:***@db/' });
  });

  it('has what was thrown, what came beside it, and no secrets', async () => {
    const { sent } = await loggingApp({}, { levels: ['error', 'verbose'] });
    const logger = new Logger('Db');
    logger.error(new TypeError('cannot reach mysql://root:hush@db/'));
    logger.error('failed', new RangeError('deep').stack);
    logger.error({ user: 'u', password: 'hush' }, 'second', { api_key: 'hush' });
    logger.log('not asked for');
    logger.verbose(() => 'made when needed');
    const payloads = sent().map(({ payload }) => payload as Record<string, unknown>);
    expect(payloads).toMatchObject([
      {
        msg: 'cannot reach mysql://root:***@db/',
        exc_info: ['TypeError', 'cannot reach mysql://root:***@db/', expect.stringContaining('at ')],
      },
      { msg: 'failed', name: 'Db', exc_info: ['RangeError', 'failed', expect.stringContaining('deep')] },
      { msg: '{"user":"u","password":***}', extra: ['second', '{"api_key":***}'] },
      { msg: 'made when needed', levelname: 'DEBUG' },
    ]);
    expect(JSON.stringify(payloads)).not.toContain('hush');
  });

  it('may only be sent', async () => {
    const { sent } = await loggingApp({}, { logger: null });
    new Logger('X').log('quietly');
    expect(sent()).toHaveLength(1);
    expect(written.log).not.toHaveBeenCalled();
  });

  it('keeps nothing of what was logged while it waits to be sent', async () => {
    const notifier = new NotifierCore(undefined, { driver: { notify: () => new Promise(() => undefined) } });
    const logger = new OsloLogger(notifier, { logger: null });
    const logged = (): WeakRef<object>[] => {
      const message = { instance: 1 };
      const extra = { host: 1 };
      logger.log(message, extra);
      return [new WeakRef(message), new WeakRef(extra)];
    };
    expect(await stillKept(logged())).toBe(0);
    expect(notifier.pending).toBe(1);
  });
});

describe('no record causes the next', () => {
  it('where the driver log writes by the same logger', async () => {
    const { sent } = await loggingApp({ driver: ['log', 'test'] });
    new Logger('X').log('once');
    expect(sent()).toHaveLength(1);
    expect(written.log.mock.calls.map(([, name]) => name as string)).toEqual([
      'X',
      'oslo.messaging.notification.logrecord',
    ]);
  });

  it('where notifications fail, and that is logged', async () => {
    const notify = vi.fn<() => Promise<void>>(() => Promise.reject(new Error('no route')));
    const { notifier } = await loggingApp({ driver: { notify } });
    new Logger('X').log('once');
    await vi.waitFor(() => expect(written.error).toHaveBeenCalled());
    await notifier.flushed();
    expect(notify).toHaveBeenCalledOnce();
    expect(written.error).toHaveBeenCalledOnce();
  });

  it('where a driver logs, at once or later', async () => {
    const notify = vi.fn<() => Promise<void>>(async () => {
      new Logger('Driver').log('at once');
      await new Promise((resolve) => setImmediate(resolve));
      new Logger('Driver').log('later');
    });
    const { notifier } = await loggingApp({ driver: { notify } });
    new Logger('X').log('once');
    await notifier.flushed();
    expect(written.log).toHaveBeenCalledTimes(3);
    expect(notify).toHaveBeenCalledOnce();
  });

  it('where a listener logs the records that it hears', async () => {
    @Injectable()
    class Echo {
      @OnNotification('info', { eventType: 'logrecord' })
      on(@Payload('msg') msg: string) {
        new Logger('Echo').log(`heard ${msg}`);
      }
    }
    const { listeners, notifier } = await loggingApp({ driver: 'messagingv2' }, {}, { providers: [Echo] });
    new Logger('X').log('once');
    await vi.waitFor(() => expect(listeners.counters.acknowledged).toBe(1));
    await notifier.flushed();
    expect(written.log.mock.calls.map(([message]) => message as string)).toEqual(['once', 'heard once']);
  });
});
