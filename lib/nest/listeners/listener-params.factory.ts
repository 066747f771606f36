import type { ParamsFactory } from '@nestjs/core/helpers/external-context-creator.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';

/** Gives `@Payload()`, `@Payload('key')` and `@Ctx()` of listeners their values. */
export class ListenerParamsFactory implements ParamsFactory {
  exchangeKeyForValue(type: RpcParamtype, key: unknown, [payload, context]: readonly unknown[]): unknown {
    if (type === RpcParamtype.CONTEXT) return context;
    if (type !== RpcParamtype.PAYLOAD) return undefined;
    return typeof key === 'string' && key !== '' ? ownValue(payload, key) : payload;
  }
}

/** Foreign data has no `constructor`, whatever its prototype says. */
function ownValue(payload: unknown, key: string): unknown {
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, key)) return undefined;
  return (payload as Record<string, unknown>)[key];
}
