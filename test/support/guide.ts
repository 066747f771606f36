/** What a page asks its reader to do, in its order. */
export type Step =
  | { kind: 'file'; name: string; content: string }
  | { kind: 'commands'; lines: string[]; terminal?: string; only?: string }
  | { kind: 'output'; lines: string[]; terminal?: string; only?: string };

const BLOCK = /^```(\w+)([^\n]*)\n(.*?)^```$/gms;
const FILE_NAME = /^(?:\/\/|#) (\S+\.\w+)\n/;

/**
 * The blocks of a Markdown page. A first line that is a comment names a file. `sh` are commands: `sh npm` those of who
 * uses npm (`nest11`: Nest 11), `sh terminal=nest` one that runs on in a terminal of its own. `text` is what the command before it prints,
 * `text terminal=nest` what comes next in that terminal. A browser shows nothing of this; a reader has the sentences.
 */
export function stepsOf(page: string): Step[] {
  return [...page.matchAll(BLOCK)].map(([, language, info, content]) => stepOf(language!, info!.trim(), content!));
}

function stepOf(language: string, info: string, content: string): Step {
  const terminal = /^terminal=(\w+)$/.exec(info)?.[1];
  const place = terminal === undefined ? {} : { terminal };
  const lines = content.trimEnd().split('\n');
  const only = info && !terminal ? { only: info } : {};
  if (language === 'text') return { kind: 'output', lines, ...place, ...only };
  if (language === 'sh') return { kind: 'commands', lines, ...place, ...only };
  const name = FILE_NAME.exec(content)?.[1];
  if (name === undefined) throw new Error(`a block of ${language} names no file:\n${content}`);
  return { kind: 'file', name, content };
}

/**
 * What shown output stands for: `…` is anything in its line, and a line with nothing else any number of lines. `whole`
 * is a program that has ended, of whose output nothing may be left.
 */
export function shownOutput(lines: readonly string[], whole: boolean): RegExp {
  const pattern = lines.map((line) =>
    line === '…' ? '(?:.*\n)*?' : `${line.split('…').map(literally).join('.*')}[ \t]*\n`,
  );
  return new RegExp(`^${pattern.join('')}${whole ? '$' : ''}`);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
