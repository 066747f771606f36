import type { DynamicModule, FactoryProvider, ModuleMetadata, OnApplicationShutdown, Type } from '@nestjs/common';
import { Inject, type OnModuleInit } from '@nestjs/common';
import { SharedBrokers } from './shared-brokers.js';
import { OsloConnectionsModule } from './oslo-connections.module.js';

interface Connection {
  connect(): Promise<void>;
  close(): Promise<void>;
}

/** The clients of one `forFeature`: connects it when the application starts, closes it when all has ended. */
export abstract class FeatureConnections implements OnModuleInit, OnApplicationShutdown {
  @Inject(SharedBrokers) private readonly brokers!: SharedBrokers;

  constructor(private readonly made: readonly Connection[]) {}

  /** A start that fails leaves no connection behind that would keep the process alive. */
  async onModuleInit(): Promise<void> {
    try {
      await Promise.all(this.made.map((each) => each.connect()));
    } catch (error) {
      await this.onApplicationShutdown();
      await this.brokers.closeAll();
      throw error;
    }
  }

  /** Servers and listeners are closed by now, so the last handler has ended. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.made.map((each) => each.close()));
  }
}

/** `module` with these providers, which it is given as `all`. */
export function featureModule(
  module: Type<FeatureConnections>,
  all: symbol,
  made: readonly FactoryProvider[],
  { imports = [], isGlobal = false }: Pick<ModuleMetadata, 'imports'> & { isGlobal?: boolean },
): DynamicModule {
  const tokens = made.map(({ provide }) => provide);
  const together = { provide: all, inject: tokens, useFactory: (...each: unknown[]) => each };
  return {
    module,
    imports: [OsloConnectionsModule, ...imports],
    providers: [...made, together],
    exports: tokens,
    global: isGlobal,
  };
}

/** An option set to undefined is an option not set. */
export function given<Options extends object>(options: Options): Partial<Options> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Options>;
}
