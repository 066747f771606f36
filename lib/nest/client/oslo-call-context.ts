import { Observable, throwError } from 'rxjs';
import type { PrepareOptions } from '../../rpc/client/call-settings.js';
import type {
  CallOptions,
  RpcArguments,
  RpcCallContext,
  SendOptions,
  UserFunction,
} from '../../rpc/client/rpc-call-context.js';
import type { AnyOsloApi, OsloMethodName, OsloParameters, OsloResult } from './oslo-api.js';
import { makeProxy, type OsloProxy } from './oslo-proxy.js';
import { OsloRpcRecord } from './oslo-rpc.record.js';
import { inCurrentContext } from '../shared/request-context.store.js';
import type { BeginMulticall } from '../../rpc/client/values-of.js';

/**
 * A typed client with its target and options decided: what `prepare` of `OsloClient` returns.
 *
 * @publicApi
 */
export class OsloCallContext<Api extends object = AnyOsloApi> {
  private cachedProxy: OsloProxy<Api> | undefined;

  /**
   * `open` gives the untyped client beneath.
   *
   * @internal
   */
  constructor(private readonly open: () => RpcCallContext) {}

  /**
   * Calls a method with its keyword arguments; resolves to what it returned (None: `null`).
   *
   * @throws RemoteError the handler failed with an exception that is not registered here; else its class
   * @throws NoSuchMethod, UnsupportedVersion from the server
   * @throws MessagingTimeout no answer in `timeout`, or no heartbeat in `callMonitorTimeout` seconds
   * @throws MessageUndeliverable no server is there, with `atLeastOnce`
   * @throws MessageDeliveryFailure not handed to the broker within `retry`
   * @throws RpcVersionCapError, InvalidTarget, MalformedMessage nothing was sent
   * @throws ClosedError
   */
  call<Name extends OsloMethodName<Api>>(
    method: Name,
    ...parameters: OsloParameters<Api, Name, CallOptions>
  ): Promise<OsloResult<Api, Name>> {
    return this.callFrom(this.call, method, parameters) as Promise<OsloResult<Api, Name>>;
  }

  /**
   * Calls a method that answers with several values (`@OsloMethod({ multicall: true })`), anew for each subscriber, and
   * gives each as it comes. A server that gives one answer gives one value, or none for `null`. `timeout` is of the whole;
   * each value counts as a heartbeat. Unsubscribing forgets the call; the server is not told. Fails as `call` does.
   */
  multicall<Name extends OsloMethodName<Api>>(
    method: Name,
    ...parameters: OsloParameters<Api, Name, CallOptions>
  ): Observable<OsloResult<Api, Name>> {
    try {
      const { client, args, options } = this.requestOf(parameters);
      return observed(client.multicallFrom(this.multicall, method, args, options));
    } catch (error) {
      return throwError(() => error);
    }
  }

  /**
   * Sends a request that nobody answers; resolves when the broker has confirmed it. Safe not to await: a
   * failure is reported in any case.
   *
   * @throws MessageUndeliverable, MessageDeliveryFailure, RpcVersionCapError, InvalidTarget, MalformedMessage, ClosedError
   */
  cast<Name extends OsloMethodName<Api>>(
    method: Name,
    ...parameters: OsloParameters<Api, Name, SendOptions>
  ): Promise<void> {
    return sent(() => {
      const { client, args, options } = this.requestOf(parameters);
      return client.castFrom(this.cast, method, args, options);
    });
  }

  /** A cast to every server of the topic. */
  fanout<Name extends OsloMethodName<Api>>(
    method: Name,
    ...parameters: OsloParameters<Api, Name, SendOptions>
  ): Promise<void> {
    return sent(() => {
      const { client, args, options } = this.requestOf(parameters);
      return client.prepare({ fanout: true }).castFrom(this.fanout, method, args, options);
    });
  }

  /** The same client with other settings; an omitted field is inherited, an explicit `null` resets it. */
  prepare(changes: PrepareOptions): OsloCallContext<Api> {
    const prepared = this.open().prepare(changes);
    return new OsloCallContext<Api>(() => prepared);
  }

  /** True when the version cap allows requests of `version`, by default the target's. */
  canSendVersion(version?: string | null): boolean {
    return this.open().canSendVersion(version);
  }

  /** The interface as an object, each of whose methods is a call. */
  proxy(): OsloProxy<Api> {
    this.cachedProxy ??= makeProxy<Api>((below, method, parameters) => this.callFrom(below, method, parameters));
    return this.cachedProxy;
  }

  private callFrom(below: UserFunction, method: string, parameters: readonly unknown[]): Promise<unknown> {
    return settled(() => {
      const { client, args, options } = this.requestOf(parameters);
      return client.callFrom(below, method, args, options);
    });
  }

  /** Types of arguments have no index signature; on the wire they are keyword arguments like any. */
  private requestOf([data, options = {}]: readonly unknown[]): Request {
    const client = this.open();
    if (!(data instanceof OsloRpcRecord))
      return { client, args: data as RpcArguments, options: options as CallOptions };
    const { context, timeout } = data.options;
    return {
      client: timeout === undefined ? client : client.prepare({ timeout }),
      args: data.args as RpcArguments,
      options: { context, ...(options as CallOptions) },
    };
  }
}

interface Request {
  client: RpcCallContext;
  args: RpcArguments | undefined;
  options: CallOptions;
}

/** A multicall for each subscriber, who hears of it in the context that they subscribed in. */
function observed<Value>(begin: BeginMulticall): Observable<Value> {
  return new Observable<Value>((observer) => {
    const complete = inCurrentContext(() => observer.complete());
    return begin({
      next: inCurrentContext((value) => observer.next(value as Value)),
      resolve: () => complete(undefined),
      reject: inCurrentContext((error) => observer.error(error)),
    });
  });
}

/** As all casts, safe not to await. */
function sent(send: () => Promise<void>): Promise<void> {
  const sending = settled(send);
  sending.catch(() => undefined);
  return sending;
}

/** A client that is closed, or whose options make no sense, rejects like one that fails later. */
function settled<T>(send: () => Promise<T>): Promise<T> {
  try {
    return send();
  } catch (error) {
    return Promise.reject(error);
  }
}
