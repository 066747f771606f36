import { Global, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { ClientOsloRpc } from '../client/client-oslo-rpc.js';
import { HealthSources } from '../health/health-sources.js';
import { OsloHealthIndicator } from '../health/oslo.health-indicator.js';
import { ServerOsloRpc } from '../server/server-oslo-rpc.js';
import { SharedBrokers } from './shared-brokers.js';

/**
 * The connections of one application, for its clients, the clients of `ClientsModule` and its servers.
 * Nest makes those without us; they learn of it before they connect.
 */
@Global()
@Module({
  providers: [SharedBrokers, HealthSources, OsloHealthIndicator],
  exports: [SharedBrokers, OsloHealthIndicator],
})
export class OsloConnectionsModule implements OnModuleInit, OnApplicationShutdown {
  private readonly servers: Subscription;

  constructor(
    private readonly brokers: SharedBrokers,
    private readonly modules: ModulesContainer,
  ) {
    this.servers = modules.getRpcTargetRegistry().subscribe((target) => {
      if (target instanceof ServerOsloRpc) target.shareBrokers(brokers);
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

  onApplicationShutdown(): void {
    this.servers.unsubscribe();
  }
}
