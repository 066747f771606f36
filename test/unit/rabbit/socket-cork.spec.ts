import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { gatherWrites } from '../../../lib/broker/rabbit/rabbit-link.js';

/** What the operating system would get, write by write. */
class RecordedSocket extends Writable {
  readonly writes: string[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString());
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => chunk.toString()).join(''));
    done();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

it('makes one write of all that one callback writes', async () => {
  const socket = new RecordedSocket();
  gatherWrites(socket);
  for (const frame of ['a', 'b', 'c']) socket.write(frame);
  await nextTurn();
  socket.write('d');
  await nextTurn();
  expect(socket.writes).toEqual(['abc', 'd']);
});

it('loses nothing when the socket is ended in the same callback', async () => {
  const socket = new RecordedSocket();
  gatherWrites(socket);
  socket.write('good');
  socket.write('bye');
  socket.end();
  await nextTurn();
  expect(socket.writes).toEqual(['goodbye']);
  expect(socket.writableFinished).toBe(true);
});

it('tells as before when there is too much', () => {
  const socket = new RecordedSocket({ highWaterMark: 4 });
  gatherWrites(socket);
  expect([socket.write('12'), socket.write('345')]).toEqual([true, false]);
});
