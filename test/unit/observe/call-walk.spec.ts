import { describe, expect, it, vi } from 'vitest';
import type { MessageBroker } from '../../../lib/broker/broker.js';
import { MessagingTimeout, type TimeoutReason } from '../../../lib/index.js';
import { walkCall, type WalkFinding, type WalkProbes } from '../../../lib/observe/bus/call-walk.js';

const target = { exchange: 'nova', topic: 'conductor', version: '1.0' };

function timeoutOf(reason: TimeoutReason, summary: string): MessagingTimeout {
  const where = { exchange: 'nova', queue: 'conductor', confirmed: false, outages: [] };
  return new MessagingTimeout('timed out', { diagnosis: { reason, summary, waitedFor: 'answer', ...where } });
}

/** All is there, and nothing waits. */
async function walked(ping: WalkProbes['ping'], publish: MessageBroker['publish'] = () => Promise.resolve()) {
  const broker = {
    url: 'rabbit://ctl1/',
    state: 'connected',
    publish,
    hasExchange: () => Promise.resolve(true),
    inspectQueue: () => Promise.resolve({ messages: 0, consumers: 1 }),
  } as unknown as MessageBroker;
  const findings: WalkFinding[] = [];
  const probes = { ping, versionsServed: () => Promise.resolve([]) };
  for await (const finding of walkCall(broker, target, probes)) findings.push(finding);
  return findings.at(-1)!;
}

describe('the way of a call', () => {
  it('ends at servers that have the request and do not answer', async () => {
    const { step, cause } = await walked(() => Promise.reject(timeoutOf('not-answered', 'none has answered')));
    expect({ step, cause }).toEqual({ step: 'answers', cause: expect.stringContaining('A process has taken') });
  });

  it.each<[TimeoutReason, string]>([
    ['not-sent', 'the broker has not confirmed the request'],
    ['reply-queue-lost', 'our reply queue is not being consumed'],
    ['disconnected', 'there is no connection to the broker'],
    ['unknown', 'our process stood still'],
  ])('says nothing of servers where the broker was in between: %s', async (reason, summary) => {
    const { step, state, seen, cause } = await walked(() => Promise.reject(timeoutOf(reason, summary)));
    expect({ step, state }).toEqual({ step: 'answers', state: 'fail' });
    expect(seen).toContain(`it is not known whether a server had the request: ${summary}`);
    expect(cause).not.toContain('A process has taken');
  });

  it('ends at a broker that confirms nothing and has no alarm, and blames no permission', async () => {
    const publish = vi.fn<MessageBroker['publish']>(() => Promise.reject(new MessagingTimeout('not confirmed')));
    const { step, state, cause } = await walked(() => Promise.resolve(1), publish);
    expect({ step, state, cause }).toEqual({
      step: 'alarm',
      state: 'fail',
      cause: expect.stringContaining('too busy'),
    });
    // A broker that is slow gets more time.
    expect(publish.mock.calls.map(([{ giveUpMs }]) => giveUpMs)).toEqual([1_500, 5_000]);
  });
});
