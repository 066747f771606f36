import type { FactoryProvider, InjectionToken, Provider, Type } from '@nestjs/common';
import { ConfigurationError } from '../../errors/configuration.errors.js';

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
 * `check` throws for options that make no sense, before anybody uses them.
 *
 * @throws ConfigurationError for none of the three ways
 */
export function optionsProviders<Factory, Options>(
  token: symbol,
  { inject = [], useClass, useExisting, useFactory }: WaysToOptions<Factory>,
  optionsOf: (factory: Factory) => Options | Promise<Options>,
  check: (options: Options) => void,
): Provider[] {
  const checked = (options: Options): Options => {
    check(options);
    return options;
  };
  if (useFactory) {
    const make = useFactory as (...dependencies: unknown[]) => Options | Promise<Options>;
    return [{ provide: token, inject, useFactory: async (...dependencies) => checked(await make(...dependencies)) }];
  }
  const factory = useExisting ?? useClass;
  if (!factory) throw new ConfigurationError('forRootAsync needs useFactory, useClass or useExisting');
  const useFactoryOf = async (made: Factory): Promise<Options> => checked(await optionsOf(made));
  const options = { provide: token, inject: [factory], useFactory: useFactoryOf };
  return useClass && !useExisting ? [useClass, options] : [options];
}
