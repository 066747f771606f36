import type { RequestContext } from '../wire/request-context.js';

/**
 * Turns entities and contexts into plain JSON data and back; `oslo_messaging.serializer.Serializer`.
 *
 * The client serializes each argument with the original context, then the context, and deserializes the
 * result; the server deserializes the context first, then each argument, and serializes the result.
 * Failures do not pass through it.
 *
 * `deserializeContext` may make an instance of a class of your own, as OpenStack's services do with their
 * `RequestContext`: handlers find it as `requestContext`, and `serializeContext` turns it back where a
 * client sends it on. Give server and clients the same serializer then.
 *
 * @example
 * ```ts
 * class NovaSerializer implements Serializer<NovaContext> {
 *   serializeContext = (context: NovaContext | RequestContext) => (context instanceof NovaContext ? context.toDict() : context);
 *   deserializeContext = (context: RequestContext) => NovaContext.fromDict(context);
 *   serializeEntity = (_context: NovaContext, entity: unknown) => entity;
 *   deserializeEntity = (_context: NovaContext, entity: unknown) => entity;
 * }
 * ```
 *
 * @publicApi
 */
export interface Serializer<Context extends object = RequestContext> {
  serializeEntity(context: Context, entity: unknown): unknown;
  deserializeEntity(context: Context, entity: unknown): unknown;
  serializeContext(context: Context): RequestContext;
  deserializeContext(context: RequestContext): Context;
}

/** Every top-level argument through `convert`, into a new object. */
export function convertArguments(
  args: Readonly<Record<string, unknown>>,
  convert: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, convert(value)]));
}
