import { Glob } from '../../notify/filter/glob.js';
import { stringifyJson } from '../../wire/json/json.js';
import { UsageError } from '../exit-codes.js';

/** One condition of `--where`. */
export type Condition = (value: object) => boolean;

/**
 * `payload.state=active`, `!=`, and `~` for a glob: what stands at that place, as text. A place that is not there is unequal to
 * everything. `roots`: the names that a path may begin with.
 *
 * @throws UsageError
 */
export function conditionOf(text: string, roots: readonly string[]): Condition {
  const parts = /^([^=!~\s]+?)(!=|=|~)(.*)$/s.exec(text);
  if (!parts) throw new UsageError(`'${text}' is none of path=text, path!=text, path~glob`);
  const [, path = '', sign, wanted = ''] = parts;
  const keys = pathOf(path);
  if (!roots.includes(keys[0]!)) throw new UsageError(`'${path}' begins with none of ${roots.join(', ')}`);
  if (sign === '=') return (value) => textAt(value, keys) === wanted;
  if (sign === '!=') return (value) => textAt(value, keys) !== wanted;
  const glob = new Glob(wanted);
  return (value) => {
    const found = textAt(value, keys);
    return found !== undefined && glob.matches(found);
  };
}

/** `a.b.0` */
export function pathOf(text: string): readonly string[] {
  const keys = text.split('.');
  if (keys.includes('')) throw new UsageError(`'${text}' is no path like a.b`);
  return keys;
}

/** What stands there; undefined: nothing. Items of lists by their number. */
export function valueAt(value: unknown, keys: readonly string[]): unknown {
  let found = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** Objects have no text. */
function textAt(value: object, keys: readonly string[]): string | undefined {
  const found = valueAt(value, keys);
  if (typeof found === 'string') return found;
  return found === undefined || (typeof found === 'object' && found !== null) ? undefined : stringifyJson(found);
}
