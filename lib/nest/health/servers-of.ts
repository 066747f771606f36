import type { ModulesContainer } from '@nestjs/core';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';

/** The servers of an application, those that do not listen yet, too. */
export function serversOf(modules: ModulesContainer): ServerOsloRpc[] {
  const servers: ServerOsloRpc[] = [];
  const collect = (target: unknown): void => {
    if (target instanceof ServerOsloRpc) servers.push(target);
  };
  // Nest tells of those there are at once.
  modules.getRpcTargetRegistry().subscribe(collect).unsubscribe();
  return servers;
}
