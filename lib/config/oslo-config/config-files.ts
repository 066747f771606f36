import { ConfigurationError } from '../../errors/configuration.errors.js';
import { checkOption, describeRule, type OptionRule, readOption } from '../option-rule.js';
import type { IniFile } from './ini-file.js';

/** An option by one of its names. */
export type OptionName = readonly [group: string, name: string];

/** A value as it stands in a file, with what it refers to put in. */
export interface FoundValue {
  readonly text: string;
  /** In words: `in [DEFAULT] of /etc/nova/nova.conf`. */
  readonly where: string;
  /** As it is called there. */
  readonly name: string;
}

/** `$name`, `${name}`, `$group.name`; `$$` and `\$` are a dollar sign. */
const references = /\\\$|\$(?:(\$)|([_a-z][._a-z0-9]*)|\{([_a-z][._a-z0-9]*)\})/gi;
/** So many references at most make one value, those that others lead to counted. */
const mostReferences = 1_000;

/** The option that is being found, with the references that it has led to so far. */
interface Asking {
  readonly name: string;
  readonly where: string;
  references: number;
}

/** The values of several files, of which the last rules. */
export class ConfigFiles {
  constructor(private readonly files: readonly IniFile[]) {}

  /**
   * The last value, in the last file that has one; there a newer name rules over older ones.
   *
   * @throws ConfigurationError it refers to what is not there, or to itself
   */
  find(...names: readonly OptionName[]): FoundValue | undefined {
    for (const file of this.files.toReversed()) {
      for (const name of names) {
        const value = valuesOf(file, name)?.at(-1);
        if (value !== undefined) return this.found(file, name, value);
      }
    }
    return undefined;
  }

  /** All values of an option that may stand there several times, in their order. @throws ConfigurationError */
  findAll(...names: readonly OptionName[]): readonly FoundValue[] {
    return this.files.flatMap((file) =>
      names.flatMap((name) => (valuesOf(file, name) ?? []).map((value) => this.found(file, name, value))),
    );
  }

  /** The names of the options of a group that are set. */
  namesIn(group: string): { name: string; path: string }[] {
    return this.files.flatMap(({ path, sections }) =>
      [...(sections.get(group)?.keys() ?? [])].map((name) => ({ name, path })),
    );
  }

  private found(file: IniFile, [group, name]: OptionName, value: string): FoundValue {
    const where = `in [${group}] of ${file.path}`;
    return { text: this.substitute(value, group, { name, where, references: 0 }), where, name };
  }

  /** `group`: where names without one are looked for. */
  private substitute(value: string, group: string, asking: Asking): string {
    return value.replace(references, (_, dollar: string | undefined, bare?: string, braced?: string) => {
      const reference = bare ?? braced;
      if (reference === undefined) return '$';
      const what = `Option ${asking.name} ${asking.where}`;
      asking.references += 1;
      if (asking.references > mostReferences) throw new ConfigurationError(`${what} refers to itself, or to too much`);
      const referred = this.referred(reference, group);
      // In a URL it is a piece of the password.
      const shown = /url|password/.test(asking.name) ? '' : ` ($${reference})`;
      if (!referred) {
        throw new ConfigurationError(`${what} refers to what is not there${shown}: write $$ for a dollar sign`);
      }
      return this.substitute(referred.value, referred.group, asking);
    });
  }

  /** In the same section, or with a dot in another one; else in `[DEFAULT]`. */
  private referred(reference: string, group: string): { group: string; value: string } | undefined {
    const dot = reference.indexOf('.');
    const own: OptionName = dot === -1 ? [group, reference] : [reference.slice(0, dot), reference.slice(dot + 1)];
    for (const name of [own, ['DEFAULT', reference] as const]) {
      const values = this.files.toReversed().map((file) => valuesOf(file, name)?.at(-1));
      const value = values.find((one) => one !== undefined);
      if (value !== undefined) return { group: name[0], value };
    }
    return undefined;
  }
}

function valuesOf({ sections }: IniFile, [group, name]: OptionName): readonly string[] | undefined {
  return sections.get(group)?.get(name);
}

/** The value that a text means. @throws ConfigurationError naming the option, where it stands, and what is allowed */
export function readFound({ name, text, where }: FoundValue, rule: OptionRule): boolean | number | string {
  const value = readOption(text, rule);
  if (value === undefined) {
    throw new ConfigurationError(`Option ${name} ${where} must be ${describeRule(rule)}, not '${text}'`, text);
  }
  checkOption(`${name} ${where}`, value, rule);
  return value;
}

/** As oslo.config's list: separated by commas. */
export function readList({ text }: FoundValue): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
