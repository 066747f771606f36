import type { Observable } from 'rxjs';
import type { RpcArguments } from '../../rpc/client/rpc-call-context.js';
import type { OsloRpcRecord } from './oslo-rpc.record.js';

/**
 * The methods of a client whose interface is not declared: any method, with any keyword arguments.
 *
 * @publicApi
 */
export interface AnyOsloApi {
  [method: string]: (args?: RpcArguments) => unknown;
}

type Method = (...args: never[]) => unknown;

/**
 * The methods of an interface.
 *
 * @publicApi
 */
export type OsloMethodName<Api> = { [Name in keyof Api]: Api[Name] extends Method ? Name : never }[keyof Api] & string;

/**
 * The result of a method: of a promise, stream or generator what it holds, and `null` for nothing, as the wire has it.
 *
 * @publicApi
 */
export type OsloResult<Api, Name extends keyof Api> = Api[Name] extends (...args: never[]) => infer Returned
  ? Carried<Held<Awaited<Returned>>>
  : never;

/** What each value of several is. A list is one value. */
type Held<Result> =
  Result extends Observable<infer Value>
    ? Value
    : Result extends AsyncIterable<infer Value> | Generator<infer Value, unknown, unknown>
      ? Value
      : Result;

/** A result as the wire leaves it: there is no `undefined`. */
type Carried<Value> = unknown extends Value ? Value : Value extends void | undefined ? null : Value;

/** The first parameter are the keyword arguments; what else a handler takes is no business of its callers. */
type KeywordsOf<Api, Name extends keyof Api> = Api[Name] extends (...args: infer Parameters) => unknown
  ? Parameters extends []
    ? NoArguments
    : Parameters extends [infer First, ...unknown[]]
      ? KeywordObject<First>
      : Parameters extends [(infer First)?, ...unknown[]]
        ? KeywordObject<First> | undefined
        : never
  : never;

/** Also what all-optional arguments accept. */
type NoArguments = Record<string, never>;

/** The wire has keyword arguments only: methods with another first parameter cannot be called. */
type KeywordObject<First> = First extends readonly unknown[] | Method ? never : First extends object ? First : never;

/**
 * The parameters after the method's name: its keyword arguments, or a record with them, and options. The arguments
 * may be missing where all of them may.
 *
 * @publicApi
 */
export type OsloParameters<Api, Name extends keyof Api, Options> =
  undefined extends KeywordsOf<Api, Name>
    ? [args?: Sendable<KeywordsOf<Api, Name>>, options?: Options]
    : NoArguments extends KeywordsOf<Api, Name>
      ? [args?: Sendable<KeywordsOf<Api, Name>>, options?: Options]
      : [args: Sendable<KeywordsOf<Api, Name>>, options?: Options];

type Sendable<Keywords> = Keywords | OsloRpcRecord<Keywords>;
