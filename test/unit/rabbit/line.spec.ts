import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ChannelModel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Line, type LineObserver } from '../../../lib/broker/rabbit/line.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const nothing = (): void => undefined;
const deafObserver: LineObserver = {
  lineLost: nothing,
  lineBlocked: nothing,
  lineOpened: nothing,
  lineUnblocked: nothing,
  lineDeclaredTransient: nothing,
};

/** A connection whose broker says nothing, unless `bytesRead` is made to grow. */
function silentLine() {
  const socket = Object.assign(new PassThrough(), { bytesRead: 0 });
  const model = Object.assign(new EventEmitter(), {
    connection: { rest: Buffer.alloc(0), stream: socket },
    createChannel: () => new Promise<never>(() => undefined),
  });
  socket.on('error', () => undefined);
  const opened = vi.fn<() => void>();
  const line = new Line(model as unknown as ChannelModel, 'mq1:5672', 3_000, { ...deafObserver, lineOpened: opened });
  /** Bytes of a frame whose end has not come. */
  const receivePart = (bytes: number): void => {
    socket.bytesRead += bytes;
    model.connection.rest = Buffer.alloc(model.connection.rest.length + bytes);
  };
  return { line, model, opened, socket, receivePart };
}

const ms = (duration: number): Promise<unknown> => vi.advanceTimersByTimeAsync(duration);

describe('the silence of a line', () => {
  it('is its end', async () => {
    const { line } = silentLine();
    await ms(4_100);
    expect([line.alive, line.fellSilent]).toEqual([false, true]);
  });

  it('is none while a large message is on its way, as long as that may take', async () => {
    const { line } = silentLine();
    line.upload(1_000_000);
    await ms(9_000);
    expect(line.alive).toBe(true);
    await ms(5_000);
    expect(line.alive).toBe(false);
  });

  it('is excused no longer by more of them: they are no sign of life', async () => {
    const { line } = silentLine();
    for (let n = 0; n < 12; n += 1) {
      line.upload(300_000);
      await ms(1_000);
    }
    expect(line.alive).toBe(false);
  });

  it('is one again when the message has arrived', async () => {
    const { line } = silentLine();
    const arrived = line.upload(10_000_000);
    await ms(9_000);
    arrived();
    await ms(4_100);
    expect(line.alive).toBe(false);
  });

  it('is not broken by what adds little to a frame that never ends: its length is damaged', async () => {
    const { line, receivePart } = silentLine();
    for (let n = 0; n < 5; n += 1) {
      receivePart(12);
      await ms(1_000);
    }
    expect([line.alive, line.fellSilent]).toEqual([false, true]);
  });

  it('is broken by a large frame that comes slowly', async () => {
    const { line, receivePart } = silentLine();
    for (let n = 0; n < 20; n += 1) {
      receivePart(10_000);
      await ms(1_000);
    }
    expect(line.alive).toBe(true);
    line.destroy(new Error('done'));
  });

  it('is not excused by small messages, however many', async () => {
    const { line } = silentLine();
    for (let n = 0; n < 1_000; n += 1) line.upload(100_000);
    await ms(4_100);
    expect(line.alive).toBe(false);
  });
});

describe('an answer behind deliveries', () => {
  it('is awaited while they arrive, for a minute at most', () => {
    const { line, socket } = silentLine();
    const { excused } = line.patienceBehindDeliveries;
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

describe('what a new line takes', () => {
  it('is one message, until the broker has answered after it', () => {
    const { line, opened } = silentLine();
    expect([line.takesMessages, line.messageWritten(), line.takesMessages]).toEqual([true, true, false]);
    line.messageRead();
    expect([line.takesMessages, line.messageWritten(), line.takesMessages]).toEqual([true, false, true]);
    line.messageRead();
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('is nothing more while the broker says that it is blocked', () => {
    const { line, model, opened } = silentLine();
    line.messageWritten();
    model.emit('blocked', 'low on memory');
    line.messageRead();
    expect([line.takesMessages, line.blocked]).toEqual([false, true]);
    model.emit('unblocked');
    expect([line.takesMessages, line.blocked]).toEqual([true, false]);
    expect(opened).not.toHaveBeenCalled();
  });
});
