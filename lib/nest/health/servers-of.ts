import type { ModulesContainer } from '@nestjs/core';
import { OsloRpcStrategy } from '../server/oslo-rpc-strategy.js';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';

/** The servers of an application, those that do not listen yet, too. */
export function serversOf(modules: ModulesContainer): ServerOsloRpc[] {
  const servers: ServerOsloRpc[] = [];
  const collect = (target: unknown): void => {
    const server = target instanceof OsloRpcStrategy && target.isBound ? target.server : target;
    if (server instanceof ServerOsloRpc && !servers.includes(server)) servers.push(server);
  };
  // Nest tells of those there are at once.
  modules.getRpcTargetRegistry().subscribe(collect).unsubscribe();
  return servers;
}
