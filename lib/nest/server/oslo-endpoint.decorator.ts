import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { Controller, type ControllerOptions } from '@nestjs/common';
import { CONTROLLER_WATERMARK } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import { checkApiVersion, highestVersion } from '../../wire/rpc/api-version.js';
import { prepareController } from './controller-preparation.js';
import { requireClass, requireParentheses } from '../shared/decorated-method.js';
import { ANY_METHOD, OSLO_RPC } from '../shared/nest.constants.js';
import { osloMethodOf } from './oslo-method.decorator.js';
import type { OsloRpcPattern } from '../shared/oslo-rpc.pattern.js';

/**
 * Address of an endpoint's methods, and options of `@Controller()`.
 *
 * @publicApi
 */
export interface OsloEndpointOptions extends Pick<ControllerOptions, 'durable' | 'path' | 'scope'> {
  /** @defaultValue the server's */
  topic?: string;
  /** @defaultValue the server's */
  exchange?: string;
  /** The interface that the methods belong to. @defaultValue null */
  namespace?: string | null;
  /** Further namespaces that reach the same methods; `Target.legacy_namespaces`. @defaultValue none */
  legacyNamespaces?: readonly (string | null)[];
  /** Of the interface: requests up to it, of the same major version, are served. @defaultValue '1.0' */
  version?: string;
  /** Of the server that serves it, where there is one for a second bus. @defaultValue OSLO_RPC */
  transportId?: symbol;
}

const scanner = new MetadataScanner();
const endpoints = new WeakSet<object>();

/** True for a class with `@OsloEndpoint()` of its own. */
export function isOsloEndpoint(metatype: object): boolean {
  return endpoints.has(metatype);
}

const RULES: OptionRules<OsloEndpointOptions> = {
  topic: OPTION_TABLE.topic,
  exchange: OPTION_TABLE.exchange,
  namespace: OPTION_TABLE.namespace,
  legacyNamespaces: OPTION_TABLE.legacyNamespaces,
  version: { type: 'checked' },
  transportId: OPTION_TABLE.transportId,
  durable: { type: 'boolean' },
  path: { type: 'checked' },
  scope: { type: 'checked' },
};

/**
 * A controller whose `@OsloMethod()`s are one interface of a topic. Error classes reach its callers, with
 * or without `OsloRpcModule`.
 *
 * Several endpoints may share an interface; other major versions of it stand beside it.
 *
 * @example
 * ```ts
 * @OsloEndpoint({ topic: 'conductor', namespace: 'baseapi', version: '1.1' })
 * class BaseEndpoint {
 *   @OsloMethod() ping(@Payload('arg') arg: string) { … }
 * }
 * ```
 *
 * @throws ConfigurationError a version that is none, or something else than a class
 * @publicApi
 */
export function OsloEndpoint(
  options: OsloEndpointOptions = {},
  ...place: never[]
): <Class extends abstract new (...args: never[]) => object>(endpoint: Class) => void {
  requireParentheses('@OsloEndpoint()', [options, ...place]);
  const { durable, path, scope, version = '1.0' } = options;
  checkOptions('@OsloEndpoint', options, RULES);
  checkApiVersion(version);
  return (endpoint, ...rest: unknown[]) => {
    requireClass('@OsloEndpoint()', [endpoint, ...rest]);
    endpoints.add(endpoint);
    if (!Reflect.hasOwnMetadata(CONTROLLER_WATERMARK, endpoint)) Controller({ durable, path, scope })(endpoint);
    const prototype = endpoint.prototype as object;
    for (const name of scanner.getAllMethodNames(prototype)) addressMethod(prototype, name, options);
    prepareController(endpoint);
  };
}

function addressMethod(prototype: object, name: string, options: OsloEndpointOptions): void {
  const inherited = (prototype as Record<string, object>)[name]!;
  const declared = osloMethodOf(inherited);
  if (!declared) return;
  const method = ownMethod(prototype, name);
  const { exchange, topic, transportId } = options;
  const version = servedVersion(declared.version, options.version ?? '1.0');
  const patterns = namespacesOf(options, declared.name).map<OsloRpcPattern>((namespace) => {
    return { topic, exchange, namespace, method: declared.name, version, multicall: declared.multicall };
  });
  Reflect.defineMetadata(PATTERN_METADATA, patterns, method);
  Reflect.defineMetadata(TRANSPORT_METADATA, transportId ?? OSLO_RPC, method);
}

/** `ANY_METHOD` has all namespaces at once. */
function namespacesOf({ namespace = null, legacyNamespaces = [] }: OsloEndpointOptions, method: string) {
  return method === ANY_METHOD ? [namespace] : [...new Set([namespace, ...legacyNamespaces])];
}

/** An inherited method is given a stand-in: its parent may be an endpoint, too, with other patterns. */
function ownMethod(prototype: object, name: string): object {
  const methods = prototype as Record<string, (...args: unknown[]) => unknown>;
  const inherited = methods[name]!;
  if (Object.hasOwn(prototype, name)) return inherited;
  const own = {
    [name](this: unknown, ...args: unknown[]): unknown {
      return inherited.apply(this, args);
    },
  }[name]!;
  for (const key of Reflect.getMetadataKeys(inherited)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), own);
  }
  // Its parameters are counted.
  Object.defineProperty(own, 'length', { value: inherited.length });
  // Its name is remembered by its extras.
  Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, { ...Reflect.getMetadata(PATTERN_EXTRAS_METADATA, own) }, own);
  Object.defineProperty(prototype, name, { value: own, writable: true, configurable: true });
  return own;
}

/** A method that came with an earlier version is served up to the endpoint's. */
function servedVersion(method: string | undefined, endpoint: string): string {
  if (method === undefined) return endpoint;
  const isSameMajor = checkApiVersion(method).major === checkApiVersion(endpoint).major;
  return isSameMajor ? highestVersion([method, endpoint])! : method;
}
