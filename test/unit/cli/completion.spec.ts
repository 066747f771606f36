import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { withThoseBelow } from '../../../lib/cli/command.js';
import { completionScript, SHELLS } from '../../../lib/cli/completion.js';
import { oslo, quietProgram } from '../../support/command-line.js';

const program = quietProgram();

describe.each(SHELLS)('the completion script of %s', (shell) => {
  const script = completionScript(program, shell);

  it('knows all commands and their options', () => {
    const flags = shell === 'fish' ? (long: string) => `-l ${long.slice(2)} ` : (long: string) => long;
    for (const command of withThoseBelow(program)) {
      expect(script).toContain(command === program ? 'oslo-bus' : command.name());
      for (const { long, hidden } of command.options) if (!hidden) expect(script).toContain(flags(long!));
    }
  });

  it('offers nothing that help does not show', () => expect(script).not.toContain('worker'));

  it('keeps what texts of help hold inside its quotes', () => {
    const hostile = new Command('oslo-bus')
      .option('--flag', `it's $(touch /tmp/x) \`y\` \\`)
      .addCommand(new Command('sub').description("a 'b' \\"));
    const of = completionScript(hostile, shell);
    // Each quote of a text ends none of the script's.
    const texts = {
      bash: '--flag',
      fish: String.raw`-d 'it\'s $(touch /tmp/x) ${'`y`'} \\'`,
      zsh: String.raw`'--flag:it'\''s $(touch /tmp/x) ${'`y`'} \'`,
    };
    expect(of).toContain(texts[shell]);
  });

  it('is printed as it is, and says on stderr where it goes', async () => {
    const shown = await oslo(`completion ${shell}`, { isTerminal: true });
    expect(shown).toMatchObject({ code: 0, out: script, err: expect.stringMatching(/^in ~/) });
    // As the shell itself reads it, each time that it starts.
    expect(await oslo(`completion ${shell}`)).toMatchObject({ code: 0, out: script, err: '' });
    const { documents } = await oslo(`completion ${shell} --json`);
    expect(documents).toEqual([{ v: 1, command: 'completion', shell, script }]);
  });
});

it('values that an option may have are completed', () => {
  const one = new Command('oslo-bus').addOption(new Option('--kind <kind>').choices(['this', 'that']));
  expect(completionScript(one, 'bash')).toContain("' --kind') _oslo_bus_words this that; return");
});

it('there is no script for another shell', async () => {
  expect(await oslo('completion tcsh')).toMatchObject({ code: 64, out: '' });
});
