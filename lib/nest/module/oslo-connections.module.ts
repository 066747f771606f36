import { Global, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { ClientOsloRpc } from '../client/client-oslo-rpc.js';
import { HealthSources } from '../health/health-sources.js';
import { OsloHealthIndicator } from '../health/oslo.health-indicator.js';
import { OsloRpcStrategy, serverBehind } from '../server/oslo-rpc-strategy.js';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';
import { ApplicationCheck } from './application-check.js';
import { getOsloServerToken } from './oslo-rpc-tokens.js';
import { SharedBrokers } from './shared-brokers.js';

/**
 * The connections of one application, for its clients, the clients of `ClientsModule` and its servers.
 * Nest makes those without us; they learn of it before they connect.
 */
@Global()
@Module({
  providers: [ApplicationCheck, SharedBrokers, HealthSources, OsloHealthIndicator],
  exports: [SharedBrokers, OsloHealthIndicator],
})
export class OsloConnectionsModule implements OnModuleInit, OnApplicationShutdown {
  private readonly servers: Subscription;

  constructor(
    private readonly brokers: SharedBrokers,
    private readonly modules: ModulesContainer,
    private readonly own: ModuleRef,
    check: ApplicationCheck,
  ) {
    this.servers = modules.getRpcTargetRegistry().subscribe((target) => {
      if (target instanceof OsloRpcStrategy) target.bind(this.serverOf(target));
      const server = serverBehind(target);
      server?.shareBrokers(brokers, check.watcherOf(server));
    });
  }

  /** A global module is the first to be initialized. */
  onModuleInit(): void {
    for (const { providers } of this.modules.values()) {
      for (const provider of providers.values()) {
        const { instance }: { instance: unknown } = provider;
        if (provider.isDependencyTreeStatic() && instance instanceof ClientOsloRpc) instance.shareBrokers(this.brokers);
      }
    }
  }

  /** That of the root of its transport id, if there is one. */
  private serverOf({ transportId }: OsloRpcStrategy): ServerOsloRpc | undefined {
    const token = getOsloServerToken(transportId as symbol);
    const known = [...this.modules.values()].some(({ providers }) => providers.has(token));
    const server: unknown = known ? this.own.get(token, { strict: false }) : undefined;
    return server instanceof ServerOsloRpc ? server : undefined;
  }

  onApplicationShutdown(): void {
    this.servers.unsubscribe();
  }
}
