import { Catch, type ExceptionFilter, Inject, Injectable, Logger, Scope, type Type, UseFilters } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { throwError } from 'rxjs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { OnNotification, OsloNotificationContext } from '../../../lib/index.js';
import { newRecordingLogger, startNotifying } from './notification-apps.js';

/** What is logged as an error when a listener fails at a notification. */
async function errorsLogged(listener: Type): Promise<unknown[]> {
  const logger = newRecordingLogger();
  onTestFinished(() => Logger.overrideLogger(false));
  const { notifier } = await startNotifying({ logEvents: true }, { providers: [listener], logger });
  await notifier.info('e', {});
  // That it was acknowledged nevertheless.
  await vi.waitFor(() => expect(logger.warn).toHaveBeenCalled());
  return logger.error.mock.calls.map(([error]) => error);
}

function failing(answer: ExceptionFilter['catch']): Type {
  @Catch()
  class Filter implements ExceptionFilter {
    catch = answer;
  }
  @Injectable()
  @UseFilters(Filter)
  class Failing {
    @OnNotification('info')
    on() {
      throw new RangeError('too far');
    }
  }
  return Failing;
}

const filters: [string, ExceptionFilter['catch']][] = [
  [
    'throws the same',
    (error) => {
      throw error;
    },
  ],
  [
    'throws another',
    () => {
      throw new RangeError('too far');
    },
  ],
  [
    'rejects',
    async (error) => {
      throw error;
    },
  ],
  ['answers with a failing stream', (error) => throwError(() => error)],
];

it.each(filters)('a failure is an error in the log where a filter %s', async (_, answer) => {
  expect(await errorsLogged(failing(answer))).toEqual([expect.stringMatching(/Failing\.on failed at .*: too far/)]);
});

it.each<[string, ExceptionFilter['catch']]>([
  [
    'throws',
    () => {
      throw new TypeError('response.status is not a function');
    },
  ],
  ['rejects', () => Promise.reject(new TypeError('response.status is not a function'))],
])('a failure is told as the cause of that of a filter that %s', async (_, answer) => {
  const told = expect.stringMatching(/TypeError: response\.status is not a function, caused by RangeError: too far/);
  expect(await errorsLogged(failing(answer))).toEqual([told]);
});

it('a failure is one error in the log, Nest’s, where a filter answers nothing', async () => {
  expect(await errorsLogged(failing(() => undefined))).toEqual([new RangeError('too far')]);
});

it('that a request-scoped listener cannot be made is an error in the log', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class Unmakeable {
    constructor(@Inject(REQUEST) request: unknown) {
      if (request instanceof OsloNotificationContext) throw new RangeError('too far');
    }

    @OnNotification('info')
    on() {}
  }
  expect(await errorsLogged(Unmakeable)).toEqual([expect.stringMatching(/Unmakeable\.on failed at .*: too far/)]);
});
