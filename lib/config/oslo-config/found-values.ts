import { ConfigurationError } from '../../errors/configuration.errors.js';
import { checkOption, describeRule, type OptionRule, readOption } from '../option-rule.js';
import type { FoundValue } from './config-files.js';

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
