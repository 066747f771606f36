import { ConfigurationError } from '../../errors/configuration.errors.js';

/**
 * The method that a decorator stands on.
 *
 * @throws ConfigurationError it stands on something else, says what, and what to do
 */
export function decoratedMethod(decorator: string, target: unknown, key: unknown, descriptor: unknown): object {
  if (typeof key === 'object' && key !== null) throw misplaced(decorator, newDecorators);
  if (typeof key === 'symbol')
    throw misplaced(decorator, `${String(key)} is a symbol, and Nest looks among names only`);
  if (typeof key !== 'string')
    throw misplaced(decorator, `it stands on ${nameOf(target)}: put it on one of its methods`);
  const place = `${nameOf(target)}.${key}`;
  if (typeof target === 'function') throw misplaced(decorator, `${place} is static: make it a method of the instance`);
  if (typeof descriptor === 'number')
    throw misplaced(decorator, `it stands on a parameter of ${place}: put it on the method`);
  const method = (descriptor as PropertyDescriptor | undefined)?.value as unknown;
  if (typeof method === 'function') return method;
  throw misplaced(decorator, `${place} is a property or an accessor: write ${key}() { … } as a method`);
}

/** @throws ConfigurationError a decorator without its parentheses: it was given the place instead of its options */
export function requireParentheses(decorator: string, given: readonly unknown[]): void {
  const [first, key, descriptor] = given;
  const isPlace = given.length === 3 && typeof key === 'string' && typeof (descriptor ?? {}) === 'object';
  if (isPlace) throw misplaced(decorator, `it lacks its parentheses at ${nameOf(first)}.${key}: write ${decorator}`);
  if (given.length === 1 && typeof first === 'function' && /^class\b/.test(Function.prototype.toString.call(first)))
    throw misplaced(decorator, `it lacks its parentheses at ${nameOf(first)}: write ${decorator}`);
}

/** @throws ConfigurationError it stands on something else than a class */
export function requireClass(decorator: string, given: readonly unknown[]): void {
  const [target, key, index] = given;
  if (typeof key === 'object' && key !== null) throw misplaced(decorator, newDecorators);
  if (typeof target === 'function' && key === undefined && index === undefined) return;
  const member = typeof key === 'symbol' ? key.toString() : (key as string);
  const place = key === undefined ? `a parameter of ${nameOf(target)}` : `${nameOf(target)}.${member}`;
  throw misplaced(decorator, `it stands on ${place}: put it on the class`);
}

const newDecorators =
  'this is compiled with the newer kind of decorators: set experimentalDecorators and emitDecoratorMetadata in tsconfig.json';

function misplaced(decorator: string, why: string): ConfigurationError {
  return new ConfigurationError(`${decorator} is in the wrong place: ${why}`);
}

function nameOf(target: unknown): string {
  if (typeof target === 'function') return target.name || 'a class without a name';
  return (target as object | undefined)?.constructor?.name || 'an object';
}
