import { ConfigurationError } from '../../errors/configuration.errors.js';
import { PythonPatternReader } from './python-pattern-reader.js';

/**
 * A regular expression of Python's `re`, tested as `re.match` does: at the start of the text, not to its end.
 *
 * Translated, not taken as it is: `$`, `.`, `\w`, `\s`, `\d`, `\b`, `\A`, `\Z`, groups and flags mean other
 * things in JavaScript.
 *
 * @throws ConfigurationError not valid in Python, or without a counterpart here: backreferences, conditional and
 * atomic groups, possessive quantifiers, `\N{…}`, flags for a part of the pattern
 */
export class PythonPattern {
  private readonly regExp: RegExp;

  constructor(readonly source: string) {
    if (typeof source !== 'string') throw new ConfigurationError('A filter rule must be a string', source);
    const { translated, flags } = new PythonPatternReader(source).read();
    try {
      this.regExp = new RegExp(`^(?:${translated})`, `sv${flags}`);
    } catch (error) {
      throw new ConfigurationError(`The regular expression '${source}' cannot be used: ${String(error)}`, source);
    }
  }

  matches(text: string): boolean {
    return this.regExp.test(text);
  }
}
