import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadyMessages } from '../../../../lib/broker/memory/ready-messages.js';
import type { MemoryMessage, QueuedMessage } from '../../../../lib/broker/memory/memory-message.js';

const message: MemoryMessage = {
  exchange: '',
  routingKey: '',
  content: Buffer.alloc(0),
  contentType: undefined,
  contentEncoding: undefined,
  expiration: undefined,
  headers: {},
};

function at(position: number): QueuedMessage {
  return { message, position, expiresAt: Infinity, redelivered: false };
}

function drain(ready: ReadyMessages): number[] {
  const positions: number[] = [];
  for (let next = ready.shift(); next; next = ready.shift()) positions.push(next.position);
  return positions;
}

describe('ReadyMessages', () => {
  it('is first in, first out', () => {
    const ready = new ReadyMessages();
    for (let position = 0; position < 100; position++) ready.push(at(position));
    expect(ready.first?.position).toBe(0);
    expect(drain(ready)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(ready).toMatchObject({ length: 0, first: undefined });
  });

  it('gives back to everybody the place he had, however many were taken', () => {
    const taken = fc.array(fc.nat(), { maxLength: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 30 }), taken, (size, shifts, picks) => {
        const ready = new ReadyMessages();
        for (let position = 0; position < size; position++) ready.push(at(position));
        const out = Array.from({ length: Math.min(shifts, size) }, () => ready.shift()!);
        const returned = picks.flatMap((pick) => (out.length > 0 ? out.splice(pick % out.length, 1) : []));
        ready.putBack(returned);
        ready.push(at(size));
        const gone = new Set(out.map(({ position }) => position));
        const kept = Array.from({ length: size + 1 }, (_, index) => index).filter((position) => !gone.has(position));
        expect(ready.length).toBe(kept.length);
        expect(drain(ready)).toEqual(kept);
      }),
    );
  });
});
