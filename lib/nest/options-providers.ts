import type { FactoryProvider, InjectionToken, Provider, Type } from '@nestjs/common';
import { ConfigurationError } from '../errors/configuration.errors.js';

/** One of three ways to options: a function, or a class or provider with a method that makes them. */
interface WaysToOptions<Factory> {
  inject?: FactoryProvider['inject'];
  useFactory?: (...dependencies: never[]) => unknown;
  useClass?: Type<Factory>;
  useExisting?: InjectionToken<Factory>;
}

/**
 * Providers of `token`, as a `forRootAsync` describes them.
 *
 * @throws ConfigurationError for none of the three ways
 */
export function optionsProviders<Factory>(
  token: symbol,
  { inject = [], useClass, useExisting, useFactory }: WaysToOptions<Factory>,
  optionsOf: (factory: Factory) => unknown,
): Provider[] {
  if (useFactory) {
    return [{ provide: token, inject, useFactory: useFactory as (...dependencies: unknown[]) => unknown }];
  }
  const factory = useExisting ?? useClass;
  if (!factory) throw new ConfigurationError('forRootAsync needs useFactory, useClass or useExisting');
  const options = { provide: token, inject: [factory], useFactory: optionsOf };
  return useClass && !useExisting ? [useClass, options] : [options];
}
