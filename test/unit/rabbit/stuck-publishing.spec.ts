import { describe, expect, it } from 'vitest';
import type { Line } from '../../../lib/broker/rabbit/line.js';
import { StuckPublishing } from '../../../lib/broker/rabbit/stuck-publishing.js';

/** A channel, and how often its line has been given up. */
function channel(isAnswered: boolean, isOpen = true) {
  const given = { up: 0 };
  const line = { giveUp: () => void given.up++ } as unknown as Line;
  const asked = { isOpen, line, answers: () => Promise.resolve(isAnswered) };
  return { given, channel: asked, due: [{ channel: asked }] };
}

describe('StuckPublishing', () => {
  it('gives up the line of a channel that answers nothing while something is due', async () => {
    const { given, channel: mute, due } = channel(false);
    await new StuckPublishing().look(mute, due);
    expect(given.up).toBe(1);
  });

  it.each([
    ['that answers', channel(true)],
    ['that nothing is due on', { ...channel(false), due: channel(false).due }],
    ['that the broker reads nothing from', channel(false, false)],
  ])('leaves one alone %s', async (_which, { given, channel: one, due }) => {
    await new StuckPublishing().look(one, due);
    expect(given.up).toBe(0);
  });

  it('does so once until something is confirmed: if it did not help, the channel is not what is stuck', async () => {
    const stuck = new StuckPublishing();
    const { given, channel: mute, due } = channel(false);
    await stuck.look(mute, due);
    await stuck.look(mute, due);
    expect(given.up).toBe(1);
    stuck.confirmed();
    await stuck.look(mute, due);
    expect(given.up).toBe(2);
  });
});
