import { describe, expect, it } from 'vitest';
import type { QueueInspection } from '../../../lib/broker/broker.js';
import type { ConsumeChannel } from '../../../lib/broker/engine/consume/consume-channel.js';
import { ConsumerHealth } from '../../../lib/broker/engine/consume/consumer-health.js';

class Channel {
  held = 0;
  count = 0;
  session: unknown;

  answers = (): Promise<boolean> => Promise.resolve(true);
  deliveredFrom = (): number => this.count;
}

const waiting = { messages: 3, consumers: 1 };
const empty = { messages: 0, consumers: 1 };

/** A broker that shows of each queue what a test says. */
function examining(streams: readonly string[] = []) {
  const shown: Record<string, QueueInspection | undefined> = {};
  const session = { inspectQueue: (queue: string) => Promise.resolve(shown[queue]) };
  const health = new ConsumerHealth({ own: ['own'], topology: [] }, { isStream: (queue) => streams.includes(queue) });
  const examine = (channel: Channel) => {
    channel.session = session;
    return health.examine(channel as unknown as ConsumeChannel, Object.keys(shown));
  };
  return { shown, examine };
}

describe('a stalled queue', () => {
  it('is told by two checks in a row between which nothing came', async () => {
    const [{ shown, examine }, channel] = [examining(), new Channel()];
    shown.q = waiting;
    expect(await examine(channel)).toMatchObject({ stalled: [] });
    expect(await examine(channel)).toMatchObject({ stalled: ['q'] });
  });

  it('is none where something came, nothing waits, or we have not settled what we got', async () => {
    const [{ shown, examine }, channel] = [examining(), new Channel()];
    const stalled = async (seen: QueueInspection): Promise<boolean> => {
      shown.q = seen;
      return (await examine(channel)).stalled.length > 0;
    };
    await stalled(waiting);
    channel.count += 1;
    expect(await stalled(waiting)).toBe(false);
    expect(await stalled(empty)).toBe(false);
    expect(await stalled(waiting)).toBe(false);
    channel.held = 1;
    expect(await stalled(waiting)).toBe(false);
    channel.held = 0;
    expect(await stalled(waiting)).toBe(false);
    expect(await stalled(waiting)).toBe(true);
  });

  it('is none where what has been read stays', async () => {
    const [{ shown, examine }, channel] = [examining(['q']), new Channel()];
    shown.q = waiting;
    await examine(channel);
    expect(await examine(channel)).toMatchObject({ stalled: [] });
  });

  it('is looked for on each queue and each channel by itself', async () => {
    const [{ shown, examine }, channel] = [examining(), new Channel()];
    shown.q = waiting;
    await examine(channel);
    shown.other = waiting;
    expect(await examine(new Channel())).toMatchObject({ stalled: [] });
  });
});

it('a stream is missing when it is gone: RabbitMQ tells of no consumers of one', async () => {
  const { shown, examine } = examining(['stream', 'gone']);
  Object.assign(shown, { stream: { messages: 3, consumers: 0 }, gone: undefined });
  expect(await examine(new Channel())).toMatchObject({ unconsumed: ['gone'], stalled: [], shared: [] });
});

it('a queue without a consumer, and one that is gone, are unconsumed', async () => {
  const { shown, examine } = examining();
  Object.assign(shown, { gone: undefined, unconsumed: { messages: 0, consumers: 0 }, well: empty });
  expect(await examine(new Channel())).toEqual({
    isStuck: false,
    unconsumed: ['gone', 'unconsumed'],
    stalled: [],
    shared: [],
  });
});

it('a channel that does not answer is stuck, whatever its queues show', async () => {
  const [{ shown, examine }, channel] = [examining(), new Channel()];
  shown.q = waiting;
  channel.answers = () => Promise.resolve(false);
  expect(await examine(channel)).toEqual({ isStuck: true, unconsumed: [], stalled: [], shared: [] });
});

it('an empty queue of our own with a second consumer is shared; one that is not ours alone may be', async () => {
  const { shown, examine } = examining();
  const two = { messages: 0, consumers: 2 };
  Object.assign(shown, { own: two, other: two });
  expect(await examine(new Channel())).toMatchObject({ shared: ['own'] });
  shown.own = { messages: 1, consumers: 2 };
  expect(await examine(new Channel())).toMatchObject({ shared: [] });
});
