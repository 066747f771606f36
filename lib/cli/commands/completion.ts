import { Argument, type Command } from 'commander';
import { type CommandRun, type CommonOptions, plainCommand, runWork } from '../command.js';
import { completionScript, type Shell, SHELLS } from '../completion.js';

const head = {
  name: 'completion',
  summary: 'print what makes a shell complete command lines of oslo-bus',
  examples: ['oslo-bus completion bash', 'oslo-bus completion zsh', 'oslo-bus completion fish'],
} as const;

const USES: Readonly<Record<Shell, string>> = {
  bash: 'in ~/.bashrc:   source <(oslo-bus completion bash)',
  fish: 'in ~/.config/fish/config.fish:   oslo-bus completion fish | source',
  zsh: 'in ~/.zshrc, after compinit:   source <(oslo-bus completion zsh)',
};

export function completionCommand(run: CommandRun): Command {
  const command = plainCommand(head)
    .addArgument(new Argument('<shell>', 'of these').choices(SHELLS))
    .action((shell: Shell, options: CommonOptions) =>
      runWork(run, head.name, options, async (output) => {
        const script = completionScript(command.parent!, shell);
        output.ownText({ shell, script }, script);
        // A shell that reads it as it starts would show the note each time.
        if (run.terminal.isTerminal) output.note(USES[shell]);
      }),
    );
  return command;
}
