import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { quietProgram, wordsOf } from '../support/command-line.js';

const page = readFileSync('docs/tools.md', 'utf8');
const BLOCK = /<!-- recorded: ([\w-]+) -->\n(.*?)<!-- end of recorded -->/gs;

/** What was typed and shown, by the names of the blocks. */
const recordings = [...page.matchAll(BLOCK)].map(([, name, content]) => ({ name: name!, content: content! }));
const commandLines = recordings.flatMap(({ content }) =>
  // Without what it is piped into.
  [...content.matchAll(/^\$ (oslo-bus [^|\n]*)/gm)].map(([, line]) => line!),
);

/** The command that the words name, and what stands behind them. */
function commandOf(line: string): { command: Command; rest: string[] } {
  let command = quietProgram();
  const rest = wordsOf(line);
  for (;;) {
    const below = command.commands.find((one) => one.name() === rest[0]);
    if (!below) return { command, rest };
    command = below;
    rest.shift();
  }
}

describe('docs/tools.md', () => {
  it.each(quietProgram().commands.map((command) => command.name()))('has a recording of %s', (name) => {
    expect(commandLines.filter((line) => wordsOf(line)[0] === name)).not.toEqual([]);
  });

  it.each(commandLines.filter((line) => !line.includes('<TAB>')))('shows a line that is understood: %s', (line) => {
    const { command, rest } = commandOf(line);
    // It throws where a value cannot be used, and leaves what it does not know.
    const { operands, unknown } = command.parseOptions(rest);
    expect(unknown).toEqual([]);
    const { registeredArguments: taken } = command;
    expect(operands.length).toBeGreaterThanOrEqual(taken.filter(({ required }) => required).length);
    if (!taken.at(-1)?.variadic) expect(operands.length).toBeLessThanOrEqual(taken.length);
  });

  it('shows nothing but recordings: each block that begins with a prompt is one', () => {
    const typed = page.replace(BLOCK, '').match(/^\$ .*$/gm) ?? [];
    expect(typed).toEqual([]);
  });

  it('names no machine, and says what it was recorded with', () => {
    for (const { name, content } of recordings) {
      expect(content, name).not.toMatch(/127\.0\.0\.1:\d|\/tmp\/|\.cache/);
    }
    const versions = recordings.find(({ name }) => name === 'versions-used');
    expect(versions!.content).toMatch(/RabbitMQ \d+\.\d+\.\d+ .* oslo\.messaging \d+\.\d+\.\d+\./);
  });
});
