import type { RpcArguments } from '../../rpc/client/rpc-call-context.js';

/**
 * Options that go with the arguments of one request.
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
