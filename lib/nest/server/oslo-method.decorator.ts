import { checkOptions } from '../../config/option-rule.js';
import { MessagePattern } from '@nestjs/microservices';
import { decoratedMethod, requireParentheses } from '../shared/decorated-method.js';
import { OSLO_RPC } from '../shared/nest.constants.js';
import type { OsloRpcPattern } from '../shared/oslo-rpc.pattern.js';

/**
 * Options of `@OsloMethod()`.
 *
 * @publicApi
 */
export interface OsloMethodOptions {
  /** The name on the wire; `ANY_METHOD` takes what no other handler takes. @defaultValue the method's name */
  name?: string;
  /**
   * The method answers with several values: those that its generator yields, or that its Observable emits. Each is sent when
   * the one before is with the broker; `null` is not sent. Callers that wait for one answer, as Python's do, get the last.
   *
   * @defaultValue false
   */
  multicall?: boolean;
  /** Of the interface, since when it has the method; or another major version. @defaultValue the endpoint's */
  version?: string;
}

const OPTIONS = Symbol('options of an oslo method');

/**
 * Serves a method of an `@OsloEndpoint()`, on the bus only: to calls, casts and fanouts alike. In a plain
 * `@Controller()` it is one of the server's topic and the null namespace.
 *
 * @example
 * ```ts
 * @OsloMethod() ping(@Payload('arg') arg: string) { … }
 * @OsloMethod({ name: 'get_host', version: '1.2' }) getHost(@Payload('host') host: string) { … }
 * ```
 *
 * @throws ConfigurationError it stands on something else than a method with a name
 * @publicApi
 */
export function OsloMethod(options: OsloMethodOptions = {}, ...place: never[]): MethodDecorator {
  requireParentheses('@OsloMethod()', place.length > 0 ? [options, ...place] : [options]);
  checkOptions('@OsloMethod', options, {
    name: { type: 'name' },
    version: { type: 'checked' },
    multicall: { type: 'boolean' },
  });
  return (target, key, descriptor) => {
    const method = decoratedMethod('@OsloMethod()', target, key, descriptor);
    const name = options.name ?? String(key);
    const { version, multicall } = options;
    Reflect.defineMetadata(OPTIONS, { name, version, multicall }, method);
    MessagePattern<OsloRpcPattern>({ method: name, version, multicall }, OSLO_RPC)(target, key, descriptor);
  };
}

/** The options that `@OsloMethod()` was given; `undefined` for other methods. */
export function osloMethodOf(method: object): (OsloMethodOptions & { name: string }) | undefined {
  return Reflect.getMetadata(OPTIONS, method) as (OsloMethodOptions & { name: string }) | undefined;
}
