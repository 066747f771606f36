import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  NotificationModule,
  NotificationListeners,
  NotificationResult,
  Notifier,
  OnNotification,
  type OsloNotification,
  OsloNotificationContext,
} from 'nestjs-oslo-messaging';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';

@Injectable()
class ComputeListener {
  private tries = 0;

  // Globs over the whole event type; a RegExp is taken as it is.
  @OnNotification('info', { eventType: 'compute.instance.*' })
  onInstance(
    @Payload('name') name: string,
    @Ctx() { eventType, publisherId, requestContext }: OsloNotificationContext,
  ) {
    console.log(`${publisherId} says ${eventType} of ${name}, for ${String(requestContext.user)}`);
  }

  // A failure, or asking for it, puts the notification back to its queue, up to a limit.
  @OnNotification('error', { allowRequeue: true })
  onError(@Payload() payload: unknown, @Ctx() { redelivered }: OsloNotificationContext) {
    this.tries += 1;
    console.log(`error, try ${this.tries}${redelivered ? ' (redelivered)' : ''}: ${String(payload)}`);
    return this.tries < 3 ? NotificationResult.REQUEUE : NotificationResult.HANDLED;
  }

  @OnNotification('sample', { batch: { size: 3, timeoutMs: 500 } })
  onSamples(samples: OsloNotification<{ cpu: number }>[]) {
    console.log(`a batch of ${samples.length}: ${samples.map(({ payload }) => payload.cpu).join(', ')} % of CPU`);
  }

  // nova's versioned notifications, unwrapped.
  @OnNotification('info', { topics: ['versioned_notifications'], versioned: 'data' })
  onVersioned(@Payload() { uuid, flavor }: { uuid: string; flavor: { vcpus: number } }) {
    console.log(`versioned: ${uuid} has ${flavor.vcpus} CPUs`);
  }
}

const options = {
  transportUrl,
  startup: 'fail-fast' as const,
  exchange: 'nova',
  publisherId: 'compute.host1',
  requeueBackoffMs: 10,
};
const versioned = { name: 'VERSIONED', topics: ['versioned_notifications'] };

@Module({
  imports: [NotificationModule.forRoot(options), NotificationModule.forFeature([versioned])],
  providers: [ComputeListener],
})
class AppModule {}

function novaObject(name: string, data: object): object {
  const head = { 'nova_object.name': name, 'nova_object.namespace': 'nova', 'nova_object.version': '1.0' };
  return { ...head, 'nova_object.data': data };
}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const [notifier, listeners] = [app.get(Notifier), app.get(NotificationListeners)];
console.log(`Listening to ${listeners.queues.toSorted().join(', ')}`);
await notifier.info('compute.instance.create.end', { name: 'web' }, { context: { user: 'demo' } });
await notifier.error('compute.instance.create.error', 'no valid host');
for (const cpu of [5, 80, 20]) await notifier.sample('compute.usage', { cpu });
const flavor = novaObject('FlavorPayload', { vcpus: 2 });
const payload = novaObject('InstancePayload', { uuid: 'i-1', flavor });
await app.get<Notifier>('Notifier(VERSIONED)', { strict: false }).info('instance.update', payload);
while (listeners.counters.acknowledged < 6) await setImmediate();
await app.close();
