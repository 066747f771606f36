import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ChannelModel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventChannel } from '../../../lib/events/event-channel.js';
import { ClosingRequests } from '../../../lib/broker/engine/connection/closing-requests.js';
import { Session } from '../../../lib/broker/engine/connection/session.js';
import { RabbitLink } from '../../../lib/broker/rabbit/rabbit-link.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A connection whose broker says nothing, unless `bytesRead` is made to grow. */
function silentSession() {
  const socket = Object.assign(new PassThrough(), { bytesRead: 0 });
  const model = Object.assign(new EventEmitter(), {
    connection: { rest: Buffer.alloc(0), stream: socket },
    createChannel: () => new Promise<never>(() => undefined),
  });
  socket.on('error', () => undefined);
  const link = new RabbitLink(model as unknown as ChannelModel);
  const opened = vi.fn<() => void>();
  const nothing = (): void => undefined;
  const session = new Session(link, 'mq1:5672', {
    observer: { sessionEnded: nothing, sessionBlocked: nothing, sessionOpened: opened },
    closingRequests: new ClosingRequests(),
    events: new EventChannel(),
    livenessTimeoutMs: 3_000,
    isWatched: true,
  });
  /** Bytes of a frame whose end has not come. */
  const receivePart = (bytes: number): void => {
    socket.bytesRead += bytes;
    model.connection.rest = Buffer.alloc(model.connection.rest.length + bytes);
  };
  return { session, link, model, opened, socket, receivePart };
}

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('the silence of a connection', () => {
  it('is its end', async () => {
    const { session } = silentSession();
    await ms(4_100);
    expect([session.alive, session.fellSilent]).toEqual([false, true]);
  });

  it('is none while a large message is on its way, as long as that may take', async () => {
    const { link, session } = silentSession();
    link.uploads.watched(1_000_000, () => undefined);
    await ms(9_000);
    expect(session.alive).toBe(true);
    await ms(5_000);
    expect(session.alive).toBe(false);
  });

  it('is excused no longer by more of them: they are no sign of life', async () => {
    const { link, session } = silentSession();
    for (let n = 0; n < 12; n += 1) {
      link.uploads.watched(300_000, () => undefined);
      await ms(1_000);
    }
    expect(session.alive).toBe(false);
  });

  it('is one again when the message has arrived', async () => {
    const { link, session } = silentSession();
    const arrived = link.uploads.watched(10_000_000, () => undefined);
    await ms(9_000);
    arrived();
    await ms(4_100);
    expect(session.alive).toBe(false);
  });

  it('is not broken by what adds little to a frame that never ends: its length is damaged', async () => {
    const { session, receivePart } = silentSession();
    for (let n = 0; n < 5; n += 1) {
      receivePart(12);
      await ms(1_000);
    }
    expect([session.alive, session.fellSilent]).toEqual([false, true]);
  });

  it('is broken by a large frame that comes slowly', async () => {
    const { session, receivePart } = silentSession();
    for (let n = 0; n < 20; n += 1) {
      receivePart(10_000);
      await ms(1_000);
    }
    expect(session.alive).toBe(true);
    session.destroy(new Error('done'));
  });

  it('is not excused by small messages, however many', async () => {
    const { link, session } = silentSession();
    for (let n = 0; n < 1_000; n += 1) link.uploads.watched(100_000, () => undefined);
    await ms(4_100);
    expect(session.alive).toBe(false);
  });
});

describe('an answer behind deliveries', () => {
  it('is awaited while they arrive, for a minute at most', () => {
    const { session, socket } = silentSession();
    const { excused } = session.timeoutBehindDeliveries;
    expect(excused()).toBe(false);
    socket.bytesRead = 100_000;
    expect(excused()).toBe(false);
    socket.bytesRead = 2_000_000;
    expect([excused(), excused()]).toEqual([true, false]);
    vi.setSystemTime(Date.now());
    vi.advanceTimersByTime(60_000);
    socket.bytesRead = 4_000_000;
    expect(excused()).toBe(false);
  });
});

describe('what a new connection takes', () => {
  it('is one message, until the broker has answered after it', () => {
    const { session, opened } = silentSession();
    expect([session.takesMessages, session.messageWritten(), session.takesMessages]).toEqual([true, true, false]);
    session.messageRead();
    expect([session.takesMessages, session.messageWritten(), session.takesMessages]).toEqual([true, false, true]);
    session.messageRead();
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('is nothing more while the broker says that it is blocked', () => {
    const { session, model, opened } = silentSession();
    session.messageWritten();
    model.emit('blocked', 'low on memory');
    session.messageRead();
    expect([session.takesMessages, session.blocked]).toEqual([false, true]);
    model.emit('unblocked');
    expect([session.takesMessages, session.blocked]).toEqual([true, false]);
    expect(opened).toHaveBeenCalledTimes(1);
  });
});
