import type { Argument, Command, Option } from 'commander';
import { withThoseBelow } from './command.js';
import { HELP_ARGUMENT, TOPIC_NAMES } from './help-topics.js';

export const SHELLS = ['bash', 'fish', 'zsh'] as const;
export type Shell = (typeof SHELLS)[number];

/** The words that may stand at a place of a command line. */
type Words = 'context' | 'file' | 'none' | 'text' | readonly string[];

interface Described {
  /** The words that lead there: '' of the program, `context save`. */
  readonly path: string;
  readonly below: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly { readonly flags: readonly string[]; readonly summary: string; readonly value: Words }[];
  /** In the place of neither an option nor a command. */
  readonly operand: Words;
}

/** Placeholders of options and arguments whose value is a path. */
const FILES = new Set(['file', 'path']);
/** Of names of contexts; others are not offered. */
const SAFE_NAME = '^[A-Za-z0-9_][A-Za-z0-9_.-]*$';

/** The completion script of a shell: made of the commands themselves; names of contexts are looked up when they are needed. */
export function completionScript(program: Command, shell: Shell): string {
  const all = withThoseBelow(program).map((command) => describe(command, program));
  switch (shell) {
    case 'bash':
      return bashScript(all);
    case 'fish':
      return fishScript(all);
    case 'zsh':
      return zshScript(all);
  }
}

function describe(command: Command, program: Command): Described {
  const help = command.createHelp();
  const below = help.visibleCommands(command).map((one) => ({ name: one.name(), summary: one.description() }));
  const options = help.visibleOptions(command).map((option) => ({
    flags: [option.long, option.short].filter((flag) => flag != null),
    summary: option.description,
    value: wordsOfOption(option),
  }));
  const [argument] = command.registeredArguments;
  const operand = argument ? wordsOfArgument(argument, program) : 'none';
  return { path: pathOf(command, program), below, options, operand };
}

function pathOf(command: Command, program: Command): string {
  if (command === program) return '';
  const above = command.parent && command.parent !== program ? `${pathOf(command.parent, program)} ` : '';
  return `${above}${command.name()}`;
}

function wordsOfOption(option: Option): Words {
  if (option.argChoices) return option.argChoices;
  if (option.long === '--context') return 'context';
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  if (placeholder === undefined) return 'none';
  return FILES.has(placeholder) ? 'file' : 'text';
}

function wordsOfArgument(argument: Argument, program: Command): Words {
  if (argument.argChoices) return argument.argChoices;
  const name = argument.name();
  if (name === 'context') return 'context';
  if (name === HELP_ARGUMENT) return [...TOPIC_NAMES, ...program.commands.map((command) => command.name())];
  return FILES.has(name) ? 'file' : 'text';
}

/** Cases of "$command $previous": after an option that takes a value. */
function valueCases(all: readonly Described[], shellWords: (words: Words) => string): string[] {
  const patterns = new Map<string, string[]>();
  for (const { path, options } of all) {
    for (const { flags, value } of options) {
      if (value === 'none') continue;
      const words = shellWords(value);
      patterns.set(words, [...(patterns.get(words) ?? []), ...flags.map((flag) => `'${path} ${flag}'`)]);
    }
  }
  return [...patterns].map(([words, pattern]) => `    ${pattern.join('|')}) ${words}; return ;;`);
}

function pathsBelowTop(all: readonly Described[]): string[] {
  // As "$command $word" has it: the first word has nothing before it.
  return all.filter(({ path }) => path !== '').map(({ path }) => `'${path.includes(' ') ? path : ` ${path}`}'`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

// ---- bash -----------------------------------------------------------------------------------------

function bashScript(all: readonly Described[]): string {
  const values = valueCases(all, bashWords);
  const words = all.map(({ path, options, below, operand }) => {
    const flags = options.flatMap((option) => option.flags).join(' ');
    const names = below.length > 0 ? bashWords(below.map(({ name }) => name)) : bashWords(operand);
    return `    '${path}') if [[ $current == -* ]]; then ${bashWords(flags.split(' '))}; else ${names}; fi ;;`;
  });
  return `# bash: source <(oslo-bus completion bash)
_oslo_bus_words() { COMPREPLY=($(compgen -W "$*" -- "$current")); }
_oslo_bus_files() {
  compopt -o filenames 2>/dev/null
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
}
_oslo_bus_contexts() {
  local file name
  for file in "\${XDG_CONFIG_HOME:-$HOME/.config}"/oslo-bus/contexts/*.json; do
    name="\${file##*/}"
    name="\${name%.json}"
    [[ $name =~ ${SAFE_NAME} && $name == "$current"* ]] && COMPREPLY+=("$name")
  done
}
_oslo_bus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" command='' at
  # --option=value is three words here.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "$command \${COMP_WORDS[at]}" in
      ${pathsBelowTop(all).join('|')}) command="\${command:+$command }\${COMP_WORDS[at]}" ;;
    esac
  done
  COMPREPLY=()
  case "$command $previous" in
${values.join('\n')}
  esac
  case "$command" in
${words.join('\n')}
  esac
}
complete -F _oslo_bus oslo-bus
`;
}

function bashWords(words: Words): string {
  if (words === 'file') return '_oslo_bus_files';
  if (words === 'context') return '_oslo_bus_contexts';
  return typeof words === 'string' ? ':' : `_oslo_bus_words ${words.join(' ')}`;
}

// ---- zsh ------------------------------------------------------------------------------------------

function zshScript(all: readonly Described[]): string {
  const values = valueCases(all, zshWords);
  const words = all.map(({ path, options, below, operand }) => {
    const flags = options.flatMap((option) => option.flags.map((flag) => quoted(`${flag}:${option.summary}`)));
    const names = below.map(({ name, summary }) => quoted(`${name}:${summary}`));
    const others = names.length > 0 ? `list=(${names.join(' ')}); _describe command list` : zshWords(operand);
    return `    '${path}')
      if [[ $current == -* ]]; then
        list=(${flags.join(' ')})
        _describe -o option list
      else
        ${others}
      fi
      ;;`;
  });
  return `#compdef oslo-bus
# zsh: source <(oslo-bus completion zsh), or as _oslo-bus in a directory of $fpath
_oslo_bus_contexts() {
  local -a list
  local file
  for file in "\${XDG_CONFIG_HOME:-$HOME/.config}"/oslo-bus/contexts/*.json(N:t:r); do
    [[ $file == [A-Za-z0-9_]* && $file != *[^A-Za-z0-9_.-]* ]] && list+=("$file")
  done
  _describe context list
}
_oslo_bus() {
  local command='' word current="$words[CURRENT]" previous="$words[CURRENT - 1]"
  local -a list
  for word in "\${(@)words[2,CURRENT - 1]}"; do
    case "$command $word" in
      ${pathsBelowTop(all).join('|')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$command $previous" in
${values.join('\n')}
  esac
  case "$command" in
${words.join('\n')}
  esac
}
if [[ $funcstack[1] == _oslo-bus ]]; then _oslo_bus; else compdef _oslo_bus oslo-bus; fi
`;
}

function zshWords(words: Words): string {
  if (words === 'file') return '_files';
  if (words === 'context') return '_oslo_bus_contexts';
  return typeof words === 'string' ? ':' : `list=(${words.join(' ')}); _describe value list`;
}

// ---- fish -----------------------------------------------------------------------------------------

function fishScript(all: readonly Described[]): string {
  const lines = all.flatMap(({ path, options, below, operand }) => {
    const here = `complete -c oslo-bus -n "__oslo_bus_is '${path}'"`;
    return [
      ...below.map(({ name, summary }) => `${here} -a ${name} -d ${fishQuoted(summary)}`),
      ...(below.length === 0 && fishWords(operand) !== '' ? [`${here} ${fishWords(operand)}`] : []),
      ...options.map(({ flags, summary, value }) => {
        const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        const takes = value === 'none' ? '' : `${value === 'file' ? '-r' : '-x'} ${fishWords(value)}`.trimEnd();
        return [here, ...names, ...(takes === '' ? [] : [takes]), '-d', fishQuoted(summary)].join(' ');
      }),
    ];
  });
  return `# fish: oslo-bus completion fish | source
function __oslo_bus_command
  set -l command ''
  for word in (commandline -opc)[2..-1]
    switch "$command $word"
      case ${pathsBelowTop(all).join(' ')}
        set command (string trim -- "$command $word")
    end
  end
  echo $command
end
function __oslo_bus_is
  test "$argv[1]" = (__oslo_bus_command)
end
function __oslo_bus_contexts
  set -l home $HOME/.config
  test -n "$XDG_CONFIG_HOME"; and set home $XDG_CONFIG_HOME
  for file in $home/oslo-bus/contexts/*.json
    string match -r -- ${quoted(SAFE_NAME)} (string replace -r -- '^.*/(.*)\\.json$' '$1' $file)
  end
end
complete -c oslo-bus -f
${lines.join('\n')}
`;
}

function fishWords(words: Words): string {
  if (words === 'file') return '-F';
  if (words === 'context') return "-a '(__oslo_bus_contexts)'";
  return typeof words === 'string' ? '' : `-a '${words.join(' ')}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
