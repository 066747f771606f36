import type { ChildProcess } from 'node:child_process';
import { OsloMessagingError } from '../errors/oslo-messaging.error.js';
import { stringifyJson } from '../wire/json/json.js';
import { maskedValue } from '../wire/masked-value.js';
import { maskSecrets, printable } from '../wire/redaction.js';
import { reasonText } from './reason-text.js';
import { type ColorChoice, cutLine, isColored, type Line, painted, type TonedEnd } from './tone.js';

/** Shows a question, and resolves to the line that is typed; to nothing at the end of input. */
export type AskUser = (question: string) => Promise<string>;

/** The world around a command, replaced in tests. */
export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Everything about them. */
  readonly err: (text: string) => void;
  readonly isTerminal: boolean;
  /** Of the terminal that `out` is, right now; absent where it is none. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined;
  /** Tells of keys until it is told to stop; absent where nobody can press any. */
  readonly keys?: (pressed: (key: string) => void) => () => void;
  /** Whether a line of `err` may be written over. */
  readonly rewrites?: boolean;
  /** Absent where nobody sits who could answer. */
  readonly ask?: AskUser;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Runs the same command line once more, with these arguments behind it, in a process of its own that has a channel to us. */
  readonly again?: (further: readonly string[]) => ChildProcess;
  /** Aborted when the user wants the command to end, in order. */
  readonly interrupted: AbortSignal;
}

/** From the cursor to the end of the line. */
const ERASE_REST = '\u001b[K';
/** From the cursor to the end of the screen. */
const ERASE_BELOW = '\u001b[J';

/** Of all JSON that is written. */
const JSON_VERSION = 1;

/**
 * The writing of a command: results on stdout, all else on stderr. Texts of peers can neither move the cursor nor forge lines, and
 * secrets are masked once more on the way out.
 */
export class Output {
  private isProgressShown = false;
  private screenRows = 0;

  constructor(
    private readonly terminal: Terminal,
    private readonly command: string,
    readonly json: boolean,
    private readonly secrets: 'masked' | 'shown' = 'masked',
    private readonly color: ColorChoice = 'auto',
  ) {}

  /** How wide a line may be; absent: nobody cuts it. */
  get columns(): number | undefined {
    return this.terminal.size?.columns;
  }

  /** A result that takes the place of the one before, on a terminal; elsewhere they come one after the other. */
  screen(value: object, lines: readonly Line[]): void {
    const { size } = this.terminal;
    if (this.json || !size) return this.result(value, lines);
    // What has left the screen above cannot be written over.
    const shown = lines
      .slice(0, size.rows - 1)
      .map((line) => cutLine(line, (text) => this.fit(text), size.columns - 1))
      .map((line) => painted(line, this.colored, (text) => text));
    const back = this.screenRows === 0 ? '' : `\u001b[${this.screenRows}A`;
    this.terminal.out(`${back}${ERASE_BELOW}${shown.map((line) => `${line}\n`).join('')}`);
    this.screenRows = shown.length;
  }

  /** One result: as JSON with the version and the command's name, or as lines. */
  result(value: object, lines: readonly Line[]): void {
    if (this.json) return this.document(value);
    for (const line of lines) this.terminal.out(`${painted(line, this.colored, (text) => this.fit(text))}\n`);
  }

  /** The same of words that are our own: nothing in them comes from peers, or is a secret. */
  ownText(value: object, text: string): void {
    if (this.json) this.terminal.out(`${stringifyJson({ v: JSON_VERSION, command: this.command, ...value })}\n`);
    else this.terminal.out(text);
  }

  /** For people, on stderr. */
  note(line: Line): void {
    if (this.isProgressShown) this.progress('');
    const color = isColored(this.color, this.terminal.rewrites ?? false, this.terminal.env);
    this.terminal.err(`${painted(line, color, (text) => this.fit(text))}\n`);
  }

  /** A line for people that the next one replaces; where that cannot be, nobody needs it. */
  progress(line: string): void {
    if (!this.terminal.rewrites) return;
    this.isProgressShown = line !== '';
    this.terminal.err(`\r${this.fit(line).slice(0, (this.columns ?? line.length + 1) - 1)}${ERASE_REST}`);
  }

  /** How a command has failed; with JSON a document as well, as nothing else may come on stdout. */
  failure(error: unknown, exit: number): void {
    const isInterrupted = error instanceof Error && error.name === 'AbortError';
    const message = isInterrupted ? 'interrupted' : reasonText(error);
    if (this.json) this.document({ error: { ...factsOf(error), message, exit } });
    this.note({ before: '', word: 'oslo-bus:', tone: 'bad', after: ` ${message}` });
  }

  /** A value as it may be seen. */
  visible(value: unknown): unknown {
    return this.secrets === 'shown' ? value : maskedValue(value);
  }

  /** JSON over several lines, for people. */
  pretty(value: unknown): string[] {
    const text = stringifyJson(this.visible(value));
    return text.length > 60 && !/\d{16}/.test(text) ? JSON.stringify(JSON.parse(text), null, 2).split('\n') : [text];
  }

  /** Of `out`. */
  private get colored(): boolean {
    return isColored(this.color, this.terminal.isTerminal, this.terminal.env);
  }

  private document(value: object): void {
    const whole = { v: JSON_VERSION, command: this.command, ...value };
    const text = stringifyJson(this.visible(whole));
    // The characters that JSON leaves as they are, and a terminal does not: C1 controls, overrides of direction.
    this.terminal.out(`${printable(text)}\n`);
  }

  private fit(line: string): string {
    return printable(this.secrets === 'shown' ? line : maskSecrets(line));
  }
}

function factsOf(error: unknown): object {
  if (!(error instanceof OsloMessagingError)) return { code: 'OSLO_BUS', fault: 'caller' };
  return { code: error.code, fault: error.fault };
}

/** Aligned columns, two spaces apart, which `awk` can read. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = widthsOf(rows);
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The same where one cell of a row is toned: of several the first. */
export function tonedColumns(rows: readonly (readonly (TonedEnd | string)[])[]): Line[] {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? cell : `${cell.word}${cell.after}`)));
  const widths = widthsOf(texts);
  return columns(texts).map((text, row) => {
    const at = rows[row]!.findIndex((cell) => typeof cell !== 'string');
    const cell = rows[row]![at];
    if (cell === undefined || typeof cell === 'string') return text;
    const { word, tone } = cell;
    const from = widths.slice(0, at).reduce((sum, width) => sum + width + 2, 0);
    return { before: text.slice(0, from), word, tone, after: text.slice(from + word.length) };
  });
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  return widths;
}

/** `TypeError: no such host`; some exceptions have no text. */
export function failureText({ excType, message }: { readonly excType: string; readonly message: string }): string {
  return message === '' ? excType : `${excType}: ${message}`;
}

/** `4.1 ms`, `3.00 s`. */
export function shownMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
