import { Inject } from '@nestjs/common';

/**
 * The token of a client of `OsloRpcModule.forFeature`, for `overrideProvider` in tests or `ModuleRef.get`.
 *
 * @publicApi
 */
export function getOsloClientToken(name: string | symbol): string | symbol {
  return typeof name === 'symbol' ? name : `OsloClient(${name})`;
}

/**
 * Injects the `OsloClient` that `OsloRpcModule.forFeature` made under this name.
 *
 * @publicApi
 */
export const InjectOsloClient = (name: string | symbol): ParameterDecorator & PropertyDecorator =>
  Inject(getOsloClientToken(name));
