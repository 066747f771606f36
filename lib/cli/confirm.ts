import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { CommandEnd, EXIT, UsageError } from './exit-codes.js';
import type { AskUser, Output, Terminal } from './output.js';

/** How the user agrees before anybody asks. */
interface Agreement {
  /** A step that needs a yes, and its consequences. */
  readonly about: string;
  /** The option that answers yes. */
  readonly option: string;
}

/**
 * Goes on when the user says yes.
 *
 * @throws UsageError there is no terminal to ask on
 * @throws CommandEnd the answer is another one
 */
export async function confirm(terminal: Terminal, output: Output, { about, option }: Agreement): Promise<void> {
  if (!terminal.ask) throw new UsageError(`${about}; there is no terminal to ask on, so say ${option}`);
  output.note(about);
  const answer = await terminal.ask('Go on? [y/N] ');
  if (/^y(es)?$/i.test(answer.trim())) return;
  output.note('nothing was done');
  throw new CommandEnd(EXIT.interrupted);
}

/** Asks on streams, those of the terminal; an interruption is no answer. */
export function askOn(input: Readable, output: Writable, interrupted: AbortSignal): AskUser {
  return (question) =>
    new Promise((resolve) => {
      const lines = createInterface({ input, terminal: false });
      const stop = (): void => lines.close();
      lines.once('line', (line) => {
        resolve(line);
        stop();
      });
      // The end of input; after a line it says nothing new.
      lines.once('close', () => {
        interrupted.removeEventListener('abort', stop);
        resolve('');
      });
      interrupted.addEventListener('abort', stop);
      output.write(question);
    });
}
