import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AckFrame, AckLedger } from '../../../lib/broker/engine/consume/ack-ledger.js';

function ledgerOf(deliveries: number): AckLedger {
  const ledger = new AckLedger();
  for (let tag = 1; tag <= deliveries; tag++) ledger.delivered(tag);
  return ledger;
}

it('takes no delivery out of turn: its tag is damaged', () => {
  const ledger = ledgerOf(2);
  expect([2, 4, 2 ** 32 + 3, 3].map((tag) => ledger.delivered(tag))).toEqual([false, false, false, true]);
  expect(acked(ledger, 1, 2, 3)).toEqual([{ deliveryTag: 3, multiple: true }]);
});

function acked(ledger: AckLedger, ...tags: number[]): AckFrame[] {
  for (const tag of tags) ledger.ack(tag);
  return ledger.take();
}

/** What AMQP says that a broker makes of it: which tags are gone; a tag that it does not wait for closes the channel. */
class BrokerSide {
  readonly unacknowledged: Set<number>;

  constructor(deliveries: number) {
    this.unacknowledged = new Set(Array.from({ length: deliveries }, (_, index) => index + 1));
  }

  receive({ deliveryTag, multiple }: AckFrame): void {
    if (!this.unacknowledged.has(deliveryTag)) throw new Error(`PRECONDITION_FAILED - unknown tag ${deliveryTag}`);
    for (const tag of this.unacknowledged) {
      if (tag === deliveryTag || (multiple && tag < deliveryTag)) this.unacknowledged.delete(tag);
    }
  }
}

describe('AckLedger', () => {
  it('writes one frame for all that came first', () => {
    expect(acked(ledgerOf(5), 1, 2, 3)).toEqual([{ deliveryTag: 3, multiple: true }]);
  });

  it('writes the frame that Python writes for a single one', () => {
    expect(acked(ledgerOf(5), 1)).toEqual([{ deliveryTag: 1, multiple: false }]);
  });

  it('does not care about the order of verdicts', () => {
    expect(acked(ledgerOf(3), 3, 1, 2)).toEqual([{ deliveryTag: 3, multiple: true }]);
  });

  it('never acknowledges one that is still held', () => {
    expect(acked(ledgerOf(5), 1, 2, 4, 5)).toEqual([
      { deliveryTag: 2, multiple: true },
      { deliveryTag: 4, multiple: false },
      { deliveryTag: 5, multiple: false },
    ]);
  });

  it('goes on where a gap is closed later', () => {
    const ledger = ledgerOf(5);
    acked(ledger, 1, 3);
    expect(acked(ledger, 2, 4)).toEqual([{ deliveryTag: 4, multiple: true }]);
  });

  it('passes over what was rejected, and never names it', () => {
    const ledger = ledgerOf(4);
    expect(ledger.reject(2)).toBe(true);
    expect(acked(ledger, 1, 3)).toEqual([{ deliveryTag: 3, multiple: true }]);
    ledger.reject(4);
    expect(ledger.take()).toEqual([]);
  });

  it('takes one verdict per delivery', () => {
    const ledger = ledgerOf(2);
    expect([ledger.ack(1), ledger.ack(1), ledger.reject(1)]).toEqual([true, false, false]);
    expect(ledger.take()).toHaveLength(1);
    expect([ledger.ack(1), ledger.reject(2), ledger.ack(2)]).toEqual([false, true, false]);
    expect(ledger.take()).toEqual([]);
  });

  it('agrees with the broker in any order of deliveries, acks, rejections and flushes', () => {
    const step = fc.record({ verdict: fc.constantFrom('ack', 'ack', 'ack', 'reject', 'flush'), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 60 }), (steps, deliveries) => {
        const ledger = ledgerOf(deliveries);
        const broker = new BrokerSide(deliveries);
        const held = new Set(broker.unacknowledged);
        for (const { verdict, pick } of steps) {
          const tag = (pick % deliveries) + 1;
          const flush = (): void => ledger.take().forEach((frame) => broker.receive(frame));
          if (verdict === 'ack') {
            ledger.ack(tag);
            held.delete(tag);
          } else {
            flush();
            if (verdict === 'reject' && ledger.reject(tag)) broker.receive({ deliveryTag: tag, multiple: false });
            if (verdict === 'reject') held.delete(tag);
            expect([...broker.unacknowledged]).toEqual([...held]);
          }
        }
      }),
    );
  });

  it('keeps its count over tens of thousands', () => {
    const ledger = new AckLedger();
    const broker = new BrokerSide(50_000);
    for (let tag = 1; tag <= 50_000; tag++) {
      ledger.delivered(tag);
      if (tag > 100) ledger.ack(tag - 100);
      if (tag % 64 === 0) ledger.take().forEach((frame) => broker.receive(frame));
    }
    ledger.take().forEach((frame) => broker.receive(frame));
    expect([...broker.unacknowledged]).toEqual(Array.from({ length: 100 }, (_, index) => 49_901 + index));
  });
});
