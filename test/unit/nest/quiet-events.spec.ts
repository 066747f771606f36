import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClientOsloRpc, type MessagingEvent, NotificationListeners, ServerOsloRpc } from '../../../lib/index.js';
import { notifyingModule } from './notification-apps.js';

/** Anew each time: one event is logged once. */
const failure = (): MessagingEvent => ({
  type: 'start-failed',
  level: 'error',
  message: 'no start',
  error: new Error('none'),
});

describe.each<[string, (logEvents: boolean) => Promise<ClientOsloRpc | NotificationListeners | ServerOsloRpc>]>([
  ['ServerOsloRpc', async (logEvents) => new ServerOsloRpc({ logEvents })],
  ['ClientOsloRpc', async (logEvents) => new ClientOsloRpc({ logEvents })],
  ['NotificationModule', async (logEvents) => listenersOf(logEvents)],
])('an error of %s', (_name, create) => {
  const printed = vi.spyOn(console, 'error');
  const logged = vi.spyOn(Logger.prototype, 'error');

  beforeEach(() => {
    printed.mockReset();
    logged.mockReset();
  });

  it('is in the log', async () => {
    (await create(true)).events.emit(failure());
    expect(logged).toHaveBeenCalledWith('no start');
    expect(printed).not.toHaveBeenCalled();
  });

  it('is printed without the log', async () => {
    (await create(false)).events.emit(failure());
    expect(printed).toHaveBeenCalledWith('nestjs-oslo-messaging: no start');
    expect(logged).not.toHaveBeenCalled();
  });

  it('is only heard where there is a listener and no log', async () => {
    const { events } = await create(false);
    onTestFinished(events.subscribe(() => undefined));
    events.emit(failure());
    expect(printed).not.toHaveBeenCalled();
    expect(logged).not.toHaveBeenCalled();
  });
});

async function listenersOf(logEvents: boolean): Promise<NotificationListeners> {
  const app = await NestFactory.createApplicationContext(notifyingModule({ logEvents }, {}), { logger: false });
  onTestFinished(() => app.close());
  return app.get(NotificationListeners);
}
