import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageLine } from '../../../../lib/broker/memory/message-line.js';
import type { MemoryMessage, QueuedMessage } from '../../../../lib/broker/memory/memory-message.js';

const message: MemoryMessage = { exchange: '', routingKey: '', body: new Uint8Array(), properties: { headers: {} } };

function at(position: number): QueuedMessage {
  return { message, position, expiresAt: Infinity, redelivered: false };
}

function drain(line: MessageLine): number[] {
  const positions: number[] = [];
  for (let next = line.shift(); next; next = line.shift()) positions.push(next.position);
  return positions;
}

describe('MessageLine', () => {
  it('is first in, first out', () => {
    const line = new MessageLine();
    for (let position = 0; position < 100; position++) line.push(at(position));
    expect(line.first?.position).toBe(0);
    expect(drain(line)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(line).toMatchObject({ length: 0, first: undefined });
  });

  it('gives back to everybody the place he had, however many were taken', () => {
    const taken = fc.array(fc.nat(), { maxLength: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 30 }), taken, (size, shifts, picks) => {
        const line = new MessageLine();
        for (let position = 0; position < size; position++) line.push(at(position));
        const out = Array.from({ length: Math.min(shifts, size) }, () => line.shift()!);
        const returned = picks.flatMap((pick) => (out.length > 0 ? out.splice(pick % out.length, 1) : []));
        line.putBack(returned);
        line.push(at(size));
        const gone = new Set(out.map(({ position }) => position));
        const kept = Array.from({ length: size + 1 }, (_, index) => index).filter((position) => !gone.has(position));
        expect(line.length).toBe(kept.length);
        expect(drain(line)).toEqual(kept);
      }),
    );
  });
});
