import { MalformedMessage } from '../errors/wire.errors.js';
import type { RpcArguments } from '../rpc/rpc-call-context.js';

/**
 * What goes with the arguments of one request.
 *
 * @publicApi
 */
export interface OsloRpcRecordOptions {
  /** The context sent with it, as the serializer takes it or as plain data; wins over the client's. */
  context?: object;
  /** Seconds to wait for the answer; wins over the pattern's and the client's. */
  timeout?: number;
}

/**
 * Arguments with options, as data of `send()` and `emit()` and in the arguments' place of `OsloClient`. Made by `OsloRpcRecordBuilder`.
 *
 * @publicApi
 */
export class OsloRpcRecord<Args = unknown> {
  constructor(
    readonly args: Args,
    readonly options: OsloRpcRecordOptions = {},
  ) {}
}

/**
 * Builds the data of a `send()` or `emit()` that needs more than arguments.
 *
 * @example
 * ```ts
 * const record = new OsloRpcRecordBuilder({ arg: 'hi' }).setContext({ user_id: 'u1' }).setTimeout(5).build();
 * client.send({ method: 'ping' }, record);
 * ```
 *
 * @publicApi
 */
export class OsloRpcRecordBuilder<Args extends object = RpcArguments> {
  private options: OsloRpcRecordOptions = {};

  constructor(private readonly args?: Args) {}

  setContext(context: object): this {
    this.options = { ...this.options, context };
    return this;
  }

  /** Seconds. */
  setTimeout(timeout: number): this {
    this.options = { ...this.options, timeout };
    return this;
  }

  build(): OsloRpcRecord<Args> {
    return new OsloRpcRecord((this.args ?? {}) as Args, this.options);
  }
}

/**
 * The keyword arguments in a client's data.
 *
 * @throws MalformedMessage for what is no object: oslo.messaging has no positional arguments
 */
export function keywordArguments(data: unknown): RpcArguments {
  if (data === undefined || data === null || data === '') return {};
  if (isKeywords(data)) return data;
  const kind = Array.isArray(data) ? 'an array' : typeof data === 'object' ? data.constructor.name : typeof data;
  const reason = `oslo.messaging takes keyword arguments: an object like { name: value }, not ${kind}`;
  throw new MalformedMessage(reason, { fault: 'caller' });
}

function isKeywords(data: unknown): data is RpcArguments {
  if (typeof data !== 'object' || data === null || Array.isArray(data) || ArrayBuffer.isView(data)) return false;
  return !(data instanceof Date || data instanceof Map || data instanceof Set);
}
