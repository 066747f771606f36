import type { ModulesContainer } from '@nestjs/core';
import { serverBehind } from '../server/oslo-rpc-strategy.js';
import type { ServerOsloRpc } from '../server/server-oslo-rpc.js';

/** The servers of an application, those that do not listen yet, too. */
export function serversOf(modules: ModulesContainer): ServerOsloRpc[] {
  const servers: ServerOsloRpc[] = [];
  const collect = (target: unknown): void => {
    const server = serverBehind(target);
    if (server && !servers.includes(server)) servers.push(server);
  };
  // Nest tells of those there are at once.
  modules.getRpcTargetRegistry().subscribe(collect).unsubscribe();
  return servers;
}
