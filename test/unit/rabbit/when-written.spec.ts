import { expect, it } from 'vitest';
import type { ConsumeChannel } from '../../../lib/broker/rabbit/consume-channel.js';
import { whenWritten } from '../../../lib/broker/rabbit/when-written.js';

/** A channel whose end is read in the turn after the deliveries, or not at all. */
async function told(heldUp: boolean, endsInTurn: number): Promise<boolean> {
  const channel = { isLost: false, line: { heldUp } };
  const left = new Promise<boolean>((resolve) => whenWritten(channel as unknown as ConsumeChannel, resolve));
  let turn = 0;
  const next = (): void => {
    turn += 1;
    if (turn === endsInTurn) channel.isLost = true;
    else if (turn < endsInTurn) setImmediate(next);
  };
  setImmediate(next);
  return left;
}

it.each([
  ['has left where the channel lives on', false, Infinity, true],
  ['has not left where the channel had ended before', false, 1, false],
  ['has left before what ends the channel a turn later', false, 2, true],
  ['has not left after a hold-up, where the end stands behind the deliveries', true, 2, false],
])('an acknowledgement %s', async (_what, heldUp, endsInTurn, left) => {
  expect(await told(heldUp, Math.min(endsInTurn, 10))).toBe(left);
});

it('an acknowledgement has not left without a channel', async () => {
  expect(await new Promise((resolve) => whenWritten(undefined, resolve))).toBe(false);
});
