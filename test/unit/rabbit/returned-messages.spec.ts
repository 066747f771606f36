import { expect, it } from 'vitest';
import { PendingMessage } from '../../../lib/broker/rabbit/pending-message.js';
import { ReturnedMessages } from '../../../lib/broker/rabbit/returned-messages.js';

function written(returns: ReturnedMessages, body: string, mandatory = true, routingKey = 'k'): PendingMessage {
  const pending = new PendingMessage({ exchange: 'x', routingKey, body, mandatory });
  returns.written(pending);
  return pending;
}

const returned = (body: string, routingKey = 'k') => ({ exchange: 'x', routingKey, content: Buffer.from(body) });

it('finds the oldest mandatory one with the same address and bytes', () => {
  const returns = new ReturnedMessages();
  written(returns, 'same', false);
  written(returns, 'same', true, 'other');
  written(returns, 'different');
  const first = written(returns, 'same');
  const second = written(returns, 'same');
  expect(returns.match(returned('same'))).toBe(first);
  returns.settled(first);
  expect(returns.match(returned('same'))).toBe(second);
  returns.settled(second);
  expect(returns.match(returned('same'))).toBeUndefined();
});
