import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { Controller, type INestApplicationContext, Inject, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import {
  InjectOsloClient,
  NotificationModule,
  Notifier,
  OnNotification,
  OsloClient,
  OsloRpcModule,
  ServerOsloRpc,
} from 'nestjs-oslo-messaging';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
const bus = { transportUrl, startup: 'fail-fast' as const, exchange: 'shop' };
const heard: string[] = [];
const SELF = Symbol('who hears');

/** One worker of a service. Its notifications come by two ways, its casts by a third. */
@Injectable()
@Controller()
class Worker {
  constructor(@Inject(SELF) private readonly self: string) {}

  // The common queue: whoever is free takes it, here or in any other program without a pool.
  @OnNotification('info')
  common(@Payload('order') order: number) {
    heard.push(`common   order ${order}: ${this.self}`);
  }

  // A pool: a copy for each pool; its members share it.
  @OnNotification('info', { pool: 'invoices' })
  pool(@Payload('order') order: number) {
    heard.push(`pool     order ${order}: ${this.self}`);
  }

  // A fanout cast: a copy for everybody who runs right now; who does not, misses it.
  @MessagePattern('prices_changed')
  fanout() {
    heard.push(`fanout   ${this.self}`);
  }
}

@Injectable()
class Shop {
  constructor(
    private readonly notifier: Notifier,
    @InjectOsloClient('WORKERS') private readonly workers: OsloClient,
  ) {}

  async open(): Promise<void> {
    for (let order = 1; order <= 4; order += 1) await this.notifier.info('shop.order', { order });
    await this.workers.fanout('prices_changed', {});
  }
}

function moduleOf(controllers: Type[], providers: object[]): Type {
  const self = providers as never[];
  const rpc = [OsloRpcModule.forRoot(bus), OsloRpcModule.forFeature([{ name: 'WORKERS', topic: 'workers' }])];
  @Module({ imports: [NotificationModule.forRoot(bus), ...rpc], controllers, providers: self })
  class AppModule {}
  return AppModule;
}

const apps: INestApplicationContext[] = [];
for (const server of ['worker1', 'worker2']) {
  const strategy = new ServerOsloRpc({ ...bus, topic: 'workers', server });
  const module = moduleOf([Worker], [{ provide: SELF, useValue: server }]);
  const worker = await NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: ['error'] });
  await worker.listen();
  apps.push(worker);
}
const shop = await NestFactory.createApplicationContext(moduleOf([], [Shop]), { logger: ['error'] });
await shop.get(Shop).open();
while (heard.length < 4 + 4 + 2) await setImmediate();
console.log('Four orders by notification, once to the common queue and once to the pool; one fanout to all:');
for (const line of heard.toSorted()) console.log(`  ${line}`);
for (const app of [shop, ...apps]) await app.close();
