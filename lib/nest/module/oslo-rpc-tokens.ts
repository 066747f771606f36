import type { InjectionToken } from '@nestjs/common';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';
import { OSLO_RPC } from '../shared/nest.constants.js';
import { OSLO_RPC_OPTIONS } from './oslo-rpc-module-options.js';

const optionsTokens = new Map<symbol, symbol>([[OSLO_RPC, OSLO_RPC_OPTIONS]]);
const serverTokens = new Map<symbol, InjectionToken<ServerOsloRpc>>([[OSLO_RPC, ServerOsloRpc]]);

/** Of the options that clients of one bus have in common. */
export function optionsToken(transportId: symbol = OSLO_RPC): symbol {
  const token = optionsTokens.get(transportId) ?? Symbol(`nestjs-oslo-messaging:options of ${String(transportId)}`);
  optionsTokens.set(transportId, token);
  return token;
}

/**
 * The token of the `ServerOsloRpc` of `OsloRpcModule.forRoot`: the class itself, unless the root has a `transportId`.
 *
 * @publicApi
 */
export function getOsloServerToken(transportId: symbol = OSLO_RPC): InjectionToken<ServerOsloRpc> {
  const token = serverTokens.get(transportId) ?? Symbol(`OsloServer(${String(transportId)})`);
  serverTokens.set(transportId, token);
  return token;
}
