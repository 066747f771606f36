import { EventChannel } from '../../../lib/events/event-channel.js';
import { expect, it } from 'vitest';
import { HeldBudget } from '../../../lib/broker/bounds/held-messages.js';
import type { Session } from '../../../lib/broker/engine/connection/session.js';
import { ConsumeChannel } from '../../../lib/broker/engine/consume/consume-channel.js';
import type { ChannelObserver } from '../../../lib/broker/link.js';

/** A channel whose end is read in the turn after the deliveries, or not at all. */
async function told(heldUp: boolean, endsInTurn: number): Promise<boolean> {
  let end = (): void => undefined;
  const link = {
    openChannel: (observer: ChannelObserver) => {
      end = () => observer.channelClosed(undefined);
      return Promise.resolve({ whenWritten: (tell: () => void) => void setImmediate(tell) });
    },
  };
  const timeout = { timeoutMs: 5_000, excused: () => false };
  const session = { link, heldUp, timeoutBehindDeliveries: timeout } as unknown as Session;
  const nothing = (): void => undefined;
  const observer = {
    onDeliveries: nothing,
    consumerCancelled: nothing,
    overfull: nothing,
    roomy: nothing,
    channelLost: nothing,
  };
  const channel = await ConsumeChannel.open(session, observer, new EventChannel(), {
    body: { maxMessageBytes: 1_000, maxInflatedBytes: 1_000 },
    held: new HeldBudget(1_000),
  });
  let turn = 0;
  const next = (): void => {
    turn += 1;
    if (turn === endsInTurn) end();
    else if (turn < endsInTurn) setImmediate(next);
  };
  setImmediate(next);
  return new Promise((resolve) => channel.whenWritten(resolve));
}

it.each([
  ['has left where the channel lives on', false, Infinity, true],
  ['has not left where the channel had ended before', false, 1, false],
  ['has left before what ends the channel a turn later', false, 2, true],
  ['has not left after a hold-up, where the end stands behind the deliveries', true, 2, false],
])('an acknowledgement %s', async (_what, heldUp, endsInTurn, left) => {
  expect(await told(heldUp, Math.min(endsInTurn, 10))).toBe(left);
});
