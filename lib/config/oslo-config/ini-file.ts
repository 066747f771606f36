import { ConfigurationError } from '../../errors/configuration.errors.js';

/** What stands in one file: the values of each option of each section, in their order. */
export interface IniFile {
  readonly path: string;
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
}

/**
 * Understands a file by the rules of oslo.config's own reader: `key = value` or `key: value` in sections, values that go on in
 * lines which begin with a space, repeated keys, comments at the beginning of a line.
 *
 * @throws ConfigurationError naming file and line
 */
export function parseIni(path: string, text: string): IniFile {
  const reader = new IniReader(path);
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) reader.read(line.trimEnd());
  reader.endValue();
  return { path, sections: reader.sections };
}

class IniReader {
  readonly sections = new Map<string, Map<string, string[]>>();
  private section: Map<string, string[]> | undefined;
  private key: string | undefined;
  private value: string[] = [];
  private line = 0;

  constructor(private readonly path: string) {}

  read(line: string): void {
    this.line += 1;
    if (line === '') return this.endValue();
    if (/^[ \t]/.test(line)) return this.goOn(line.trimStart());
    this.endValue();
    if (line.startsWith('[')) this.beginSection(line);
    else if (!line.startsWith('#') && !line.startsWith(';')) this.beginValue(line);
  }

  endValue(): void {
    const { key, section } = this;
    if (key === undefined || !section) return;
    const values = section.get(key);
    const value = this.value.join('\n');
    if (values) values.push(value);
    else section.set(key, [value]);
    this.key = undefined;
  }

  private goOn(text: string): void {
    if (this.key === undefined) throw this.refusal('a line that begins with a space has nothing to go on from');
    this.value.push(text);
  }

  private beginSection(line: string): void {
    if (!line.endsWith(']')) throw this.refusal("a section must end with ']'");
    const name = line.slice(1, -1);
    if (name === '') throw this.refusal('a section has no name');
    // As oslo.config: groups in small letters, but for the first.
    const group = name === 'DEFAULT' ? name : name.toLowerCase();
    this.section = this.sections.get(group) ?? new Map<string, string[]>();
    this.sections.set(group, this.section);
  }

  private beginValue(line: string): void {
    const at = line.search(/[:=]/);
    if (at === -1) throw this.refusal("'=' is missing");
    if (!this.section) throw this.refusal('an option stands before the first section');
    this.key = line.slice(0, at).trim();
    if (this.key === '') throw this.refusal('an option has no name');
    this.value = [withoutQuotes(line.slice(at + 1).trim())];
  }

  private refusal(reason: string): ConfigurationError {
    return new ConfigurationError(`${this.path}, line ${this.line}: ${reason}`);
  }
}

function withoutQuotes(value: string): string {
  const [first] = value;
  const isQuoted = value !== '' && (first === '"' || first === "'") && value.endsWith(first);
  return isQuoted ? value.slice(1, -1) : value;
}
