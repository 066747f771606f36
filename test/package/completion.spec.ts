import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHELLS } from '../../lib/cli/completion.js';

/** For each shell, the words that it offers for the last one. */
const DRIVERS = {
  bash: 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _oslo_bus; printf "%s\\n" "${COMPREPLY[@]}"',
  fish: 'source $argv[1]; for one in (complete -C (string join " " -- $argv[2..])); string split -f1 \\t -- $one; end',
  // The line editor needs a terminal: in its place what the script offers is printed.
  zsh: `compdef() { : }; source "$0"; words=("$@"); CURRENT=$#; typeset -a list
    _describe() { for one in $list; do [[ $one == "$current"* ]] && print -r -- "\${one%%:*}"; done }
    _files() { print -rl -- "$current"*(N) }; _oslo_bus`,
} as const;
const ARGUMENTS = { bash: ['-c'], fish: ['-N', '-c'], zsh: ['-f', '-c'] } as const;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
  for (const shell of SHELLS) {
    writeFileSync(join(directory, shell), execFileSync(resolve('dist/oslo-bus.mjs'), ['completion', shell]));
  }
  const contexts = join(directory, 'oslo-bus/contexts');
  mkdirSync(contexts, { recursive: true });
  for (const name of ['ctl1', 'ctl2', 'local', '$(touch evil)', '.hidden']) {
    writeFileSync(join(contexts, `${name}.json`), '{}');
  }
  writeFileSync(join(directory, 'nova.conf'), '');
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.each(SHELLS)('%s', (shell) => {
  const offered = (...words: string[]): string[] => {
    const { stdout, stderr } = spawnSync(
      shell,
      [...ARGUMENTS[shell], DRIVERS[shell], join(directory, shell), 'oslo-bus', ...words],
      { cwd: directory, encoding: 'utf8', env: { ...process.env, HOME: directory, XDG_CONFIG_HOME: directory } },
    );
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '');
  };

  it.each([
    ['commands', ['ca'], ['call', 'cast']],
    ['commands below', ['context', 's'], ['save', 'select', 'show']],
    ['options', ['call', 'conductor', '--ti'], ['--timeout']],
    ['values of options', ['tap', '--source', 'f'], ['firehose']],
    ['contexts', ['ping', 'conductor', '--context', ''], ['ctl1', 'ctl2', 'local']],
    ['contexts as arguments', ['context', 'rm', 'c'], ['ctl1', 'ctl2']],
    ['files', ['call', '--config-file', 'nov'], ['nova.conf']],
    ['topics', ['help', 'fi'], ['filters', 'firehose']],
    ['nothing after an option with a text', ['call', '--timeout', ''], []],
    ['nothing where there is nothing', ['tap', ''], []],
  ])('%s', (_what, words, expected) => expect(offered(...words).toSorted()).toEqual(expected));
});
