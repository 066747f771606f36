import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectNotifier, NotificationModule, Notifier, runWithRequestContext } from 'nestjs-oslo-messaging';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';

@Injectable()
class ComputeService {
  constructor(
    private readonly notifier: Notifier,
    @InjectNotifier('AUDIT') private readonly audit: Notifier,
  ) {}

  async create(name: string): Promise<void> {
    await this.notifier.info('compute.instance.create.start', { name });
    // The context of what is being handled goes along, without its token; another one may be given.
    await this.audit.audit('instance.create', { name, admin_password: 'hush' });
    await this.notifier.info('compute.instance.create.end', { name }, { context: { request_id: 'req-2' } });
    // Nobody need await it: what cannot be sent is logged.
    void this.notifier.prepare({ publisherId: 'billing.host1' }).sample('compute.instance.usage', { name, hours: 1n });
  }
}

function print(message: string, name: string): void {
  console.log(`  ${name}\n    ${message}`);
}

@Module({
  imports: [
    NotificationModule.forRoot({
      transportUrl,
      startup: 'fail-fast',
      exchange: 'nova',
      topics: ['sample_notifications'],
      publisherId: 'compute.host1',
      // On the bus, in this program's log, and in memory, where tests look for it.
      driver: ['messagingv2', 'log', 'test'],
      logger: { log: print, warn: print, error: print }, // by default it is Nest's
    }),
    // The same bus, another topic: heard by those who listen to audit.audit, audit.info, …
    NotificationModule.forFeature([{ name: 'AUDIT', topics: ['audit'] }]),
  ],
  providers: [ComputeService],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const notifier = app.get(Notifier);

console.log('What the driver log writes, secrets masked:');
const context = { request_id: 'req-1', user: 'demo', auth_token: 'secret' };
await runWithRequestContext(context, () => app.get(ComputeService).create('web'));
await notifier.flushed();

console.log('What went with each:');
for (const { eventType, publisherId, context: sent } of notifier.testLog.notifications) {
  console.log(`  ${eventType} by ${publisherId}: ${JSON.stringify(sent)}`);
}
await app.close();
