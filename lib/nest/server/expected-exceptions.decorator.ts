import { PATTERN_EXTRAS_METADATA } from '@nestjs/microservices/constants.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { shown } from '../../wire/shown.js';
import { decoratedMethod, requireParentheses } from '../shared/decorated-method.js';
import type { ErrorClass } from '../../errors/error-class.js';

const EXPECTED = Symbol('expected exceptions');

type HandlerExtras = { readonly [EXPECTED]?: readonly ErrorClass[] };

/**
 * Declares the errors that belong to a handler's normal work: callers get them all the same, but they are
 * logged and reported at debug level only. Global exception filters do not see them; those of the
 * handler and its controller do. Mirrors `oslo_messaging.expected_exceptions`.
 *
 * @example
 * ```ts
 * @OsloMethod()
 * @ExpectedExceptions(HostNotFound)
 * get_host(@Payload('host') host: string) { … }
 * ```
 *
 * @throws ConfigurationError what is no class, or something else than a method
 * @publicApi
 */
export function ExpectedExceptions(...classes: readonly ErrorClass[]): MethodDecorator {
  // One class alone is what it is for.
  if (classes.length > 1) requireParentheses('@ExpectedExceptions(…)', classes);
  for (const type of classes) {
    if (typeof type === 'function') continue;
    throw new ConfigurationError(`@ExpectedExceptions takes classes of errors, not ${shown(type)}`);
  }
  return (target, key, descriptor) => {
    const method = decoratedMethod('@ExpectedExceptions()', target, key, descriptor);
    // Nest keeps the extras of a pattern through all its decorators, in any order, up to the server.
    const extras: HandlerExtras | undefined = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method);
    const expected = [...expectedClasses(extras), ...classes];
    Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, { ...extras, [EXPECTED]: expected }, method);
  };
}

/** True for what `@ExpectedExceptions()` stands on. */
export function hasExpectedExceptions(method: object): boolean {
  const extras: HandlerExtras | undefined = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method);
  return extras !== undefined && Object.hasOwn(extras, EXPECTED);
}

/** The declared errors of a handler, as Nest hands its extras to servers. */
export function expectedClasses(extras: HandlerExtras | undefined): readonly ErrorClass[] {
  return extras?.[EXPECTED] ?? [];
}
