import { expect, it } from 'vitest';
import { BrokerRefusal } from '../../../lib/broker/link.js';
import { reasonText } from '../../../lib/cli/reason-text.js';
import { MessageDeliveryFailure } from '../../../lib/errors/delivery.errors.js';

it("the broker's words are told once, and amqplib's not at all", () => {
  const words = "ACCESS_REFUSED - access to exchange 'nova' in vhost '/' refused for user 'u'";
  const amqplib = new Error(`Operation failed: QueueBind; 403 (ACCESS-REFUSED) with message "${words}"`);
  const refusal = new BrokerRefusal(403, words, { cause: amqplib });
  expect(reasonText(new MessageDeliveryFailure(`The queue 'q' was refused: ${words}`, { cause: refusal }))).toBe(
    `The queue 'q' was refused: ${words}`,
  );
});

it('a cause that says more is told, below one that does not', () => {
  const refused = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  const fetched = new TypeError('fetch failed', { cause: refused });
  expect(reasonText(new Error('the API cannot be reached', { cause: fetched }))).toBe(
    'the API cannot be reached, caused by TypeError: fetch failed, caused by connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
  );
});

it.each([
  [new TypeError('x is not a function'), 'TypeError: x is not a function'],
  [new Error('ENOENT: no such file'), 'ENOENT: no such file'],
  ['Note: thrown as it is', 'Note: thrown as it is'],
])('%o is told in words', (thrown, text) => {
  expect(reasonText(thrown)).toBe(text);
});
