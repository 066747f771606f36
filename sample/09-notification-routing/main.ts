import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ConsoleLogger, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  type Notification,
  type NotificationDriver,
  NotificationListeners,
  NotificationModule,
  Notifier,
  OnNotification,
} from 'nestjs-oslo-messaging';

/** A driver of one's own, which the rules may name like the others. */
class Ledger implements NotificationDriver {
  notify({ eventType, payload }: Notification) {
    console.log(`  ledger   ${eventType} ${JSON.stringify(payload)}`);
  }
}

@Injectable()
class Operators {
  @OnNotification(['info', 'warn', 'error'])
  on(@Payload('text') text: string) {
    console.log(`  bus      ${text}`);
  }
}

@Module({
  imports: [
    NotificationModule.forRoot({
      transportUrl: process.env.OSLO_TRANSPORT_URL ?? 'memory://',
      startup: 'fail-fast',
      exchange: 'routed',
      driver: 'routing',
      // Which notification goes to which drivers: operators change it without touching the program.
      routingConfig: fileURLToPath(new URL('routing.yaml', import.meta.url)),
      routingDrivers: { ledger: new Ledger() },
      logger: {
        log: (_, name) => console.log(`  log      ${name}`),
        warn: (_, name) => console.log(`  log      ${name}`),
        error: (_, name) => console.log(`  log      ${name}`),
      },
    }),
  ],
  providers: [Operators],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, {
  logger: new ConsoleLogger({ logLevels: ['error'] }),
});
const [notifier, listeners] = [app.get(Notifier), app.get(NotificationListeners)];
const sent = [
  ['info', 'compute.instance.create', { text: 'nobody hears this' }],
  ['error', 'compute.instance.create', { text: 'an instance failed' }],
  ['warn', 'network.slow', { text: 'nor this' }],
  ['info', 'compute.usage', { text: '3 hours' }],
] as const;
for (const [priority, eventType, payload] of sent) {
  console.log(`${priority} ${eventType}`);
  const before = listeners.counters.acknowledged;
  await notifier.notify(priority, eventType, payload);
  if (priority !== 'error' && !eventType.endsWith('.usage')) continue; // not by the bus
  while (listeners.counters.acknowledged === before) await setImmediate();
}
await app.close();
