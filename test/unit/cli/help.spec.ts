import { expect, it } from 'vitest';
import { EXIT } from '../../../lib/cli/exit-codes.js';
import { TOPIC_NAMES } from '../../../lib/cli/help-topics.js';
import { oslo } from '../../support/command-line.js';

it.each(['exit-codes', 'filters', 'firehose', 'secrets', 'transports'])('help knows the topic %s', async (topic) => {
  const { code, out, err } = await oslo(`help ${topic}`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.split('\n').length).toBeGreaterThan(5);
  // A terminal is 120 wide, or folds them.
  expect(out.split('\n').filter((line) => line.length > 125)).toEqual([]);
  const { documents } = await oslo(`help ${topic} --json`);
  expect(documents).toEqual([{ v: 1, command: 'help', topic, text: out.trimEnd() }]);
  expect((await oslo('--help')).out).toContain(TOPIC_NAMES.join(', '));
});

it('help knows commands, too', async () => {
  for (const command of ['call', 'context', 'context save', 'help']) {
    expect(await oslo(`help ${command}`), command).toEqual({ ...(await oslo(`${command} --help`)) });
  }
  expect((await oslo('help')).out).toBe((await oslo('--help')).out);
});

it('what is neither is refused, with what there is', async () => {
  for (const words of ['nix', 'context nix', 'secrets nix', 'constructor', '__proto__']) {
    expect(await oslo(`help ${words}`)).toMatchObject({
      code: 64,
      out: '',
      err: expect.stringContaining('transports'),
    });
  }
});

it('the topic of exit codes has all of them', async () => {
  const { out } = await oslo('help exit-codes');
  expect([...out.matchAll(/^ {2}(\d+) /gm)].map(([, code]) => Number(code))).toEqual(
    Object.values(EXIT).toSorted((a, b) => a - b),
  );
});
