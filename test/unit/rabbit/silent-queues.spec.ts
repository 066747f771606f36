import { expect, it } from 'vitest';
import { type DeliverySource, SilentQueues } from '../../../lib/broker/rabbit/silent-queues.js';

class Source implements DeliverySource {
  held = 0;
  count = 0;

  delivered(): number {
    return this.count;
  }
}

const waiting = { messages: 3, consumers: 1 };
const empty = { messages: 0, consumers: 1 };

it('is told by two looks in a row between which nothing came', () => {
  const [silence, source] = [new SilentQueues(), new Source()];
  expect(silence.isSilent('q', waiting, source)).toBe(false);
  expect(silence.isSilent('q', waiting, source)).toBe(true);
});

it('is none where something came, nothing waits, or we have not settled what we got', () => {
  const [silence, source] = [new SilentQueues(), new Source()];
  silence.isSilent('q', waiting, source);
  source.count += 1;
  expect(silence.isSilent('q', waiting, source)).toBe(false);
  expect(silence.isSilent('q', empty, source)).toBe(false);
  expect(silence.isSilent('q', waiting, source)).toBe(false);
  source.held = 1;
  expect(silence.isSilent('q', waiting, source)).toBe(false);
  source.held = 0;
  expect(silence.isSilent('q', waiting, source)).toBe(false);
  expect(silence.isSilent('q', waiting, source)).toBe(true);
});

it('is looked for on each queue and each channel by itself', () => {
  const [silence, source] = [new SilentQueues(), new Source()];
  silence.isSilent('q', waiting, source);
  expect(silence.isSilent('other', waiting, source)).toBe(false);
  expect(silence.isSilent('q', waiting, new Source())).toBe(false);
});
