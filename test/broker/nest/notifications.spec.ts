import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  getOsloClientToken,
  NotificationModule,
  NotificationResult,
  Notifier,
  OnNotification,
  type OsloClient,
  type OsloNotification,
  OsloNotificationContext,
  OsloRpcModule,
} from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { useVhost } from '../../support/rabbit.js';
import { newServer } from '../../unit/nest/nest-apps.js';
import { notifyingModule, startNotifying } from '../../unit/nest/notification-apps.js';

const vhost = useVhost();

it('hands over what it should, to common queues, pools and batches', async () => {
  const heard: unknown[][] = [];

  @Injectable()
  class Audit {
    @OnNotification('info', { eventType: 'compute.*' })
    common(@Payload('id') id: number) {
      heard.push(['common', id]);
    }

    @OnNotification(['info', 'error'], { pool: 'audit', batch: { size: 3, timeoutMs: 60_000 } })
    batch(notifications: OsloNotification<{ id: number }>[]) {
      heard.push(['batch', ...notifications.map(({ payload }) => payload.id)]);
    }
  }
  @Controller({ scope: Scope.REQUEST })
  class PerNotification {
    constructor(@Inject(REQUEST) private readonly request: OsloNotificationContext) {}

    @OnNotification('error')
    on() {
      const { requestContext, publisherId } = this.request;
      heard.push(['scoped', publisherId, requestContext]);
    }
  }
  const options = { transportUrl: vhost.url, exchange: 'nova', publisherId: 'compute.host1' };
  const parts = { providers: [Audit], controllers: [PerNotification] };
  const { notifier, listeners } = await startNotifying(options, parts);
  expect(listeners.queues.toSorted()).toEqual(['audit', 'notifications.error', 'notifications.info']);
  await notifier.info('compute.start', { id: 1 });
  await notifier.info('volume.start', { id: 2 });
  await notifier.error('compute.fail', { id: 3 }, { context: { user: 'u', auth_token: 'hush' } });
  await eventually(() => heard.length === 3);
  expect(heard).toEqual(
    expect.arrayContaining([
      ['common', 1],
      ['batch', 1, 2, 3],
      ['scoped', 'compute.host1', { user: 'u', auth_token: null }],
    ]),
  );
  await eventually(() => listeners.counters.acknowledged === 5 && listeners.counters.unmatched === 1);
});

it('requeues, comes back to who has not finished, and ends at the dead letter', async () => {
  const runs = { done: 0, failing: 0 };
  const redelivered: boolean[] = [];

  @Injectable()
  class Listener {
    @OnNotification('warn')
    done() {
      runs.done += 1;
    }

    @OnNotification('warn', { allowRequeue: true })
    failing(_payload: unknown, context: OsloNotificationContext) {
      runs.failing += 1;
      redelivered.push(context.redelivered);
      return NotificationResult.REQUEUE;
    }
  }
  const onDeadLetter = vi.fn<(letter: { attempts: number }) => void>();
  const options = { transportUrl: vhost.url, topics: ['requeued'], requeueLimit: 2, requeueBackoffMs: 1, onDeadLetter };
  const { notifier } = await startNotifying(options, { providers: [Listener] });
  await notifier.warn('e', {});
  await eventually(() => onDeadLetter.mock.calls.length === 1);
  expect(onDeadLetter.mock.calls[0]![0].attempts).toBe(2);
  expect(runs).toEqual({ done: 1, failing: 3 });
  expect(redelivered).toEqual([false, true, true]);
  await eventually(async () => (await vhost.queue('requeued.warn'))?.messagesUnacknowledged === 0);
});

it('shares two connections with the server and the clients of the application', async () => {
  const transportUrl = vhost.url;
  const heard: unknown[] = [];

  @Controller()
  class Api {
    constructor(@Inject(Notifier) private readonly notifier: Notifier) {}

    @MessagePattern('work')
    async work() {
      await this.notifier.info('worked', {});
    }

    @OnNotification('info', { topics: ['shared'] })
    on(_payload: unknown, { requestContext }: OsloNotificationContext) {
      heard.push(requestContext);
    }
  }
  const imports = [
    OsloRpcModule.forRoot({ transportUrl, logEvents: false, timeout: 10 }),
    OsloRpcModule.forFeature([{ name: 'SELF', topic: 'conductor' }]),
    NotificationModule.forFeature([{ name: 'OTHER' }]),
  ];
  const module = notifyingModule({ transportUrl, topics: ['shared'] }, { controllers: [Api], imports });
  const strategy = newServer({ transportUrl });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false });
  onTestFinished(() => app.close());
  await app.listen();
  const client = app.get<OsloClient>(getOsloClientToken('SELF'), { strict: false });
  await client.call('work', {}, { context: { request_id: 'req-1' } });
  await eventually(() => heard.length === 1);
  expect(heard).toEqual([{ request_id: 'req-1' }]);
  await eventually(async () => (await vhost.listConnections()).length === 2);
  await app.close();
  await eventually(async () => (await vhost.listConnections()).length === 0);
});

it('keeps what is notified before the broker is there, and sends it then', async () => {
  const proxy = await AmqpProxy.start(vhost.address);
  onTestFinished(() => proxy.close());
  await proxy.refuse();
  const options = { transportUrl: vhost.urlVia(proxy), topics: ['early'] };
  const { notifier } = await startNotifying(options, {});
  const sent = Promise.all([1, 2, 3].map((n) => notifier.info('early', n)));
  await expect(notifier.prepare({ retry: 0 }).info('once', {})).rejects.toMatchObject({
    name: 'MessageDeliveryFailure',
  });
  await proxy.accept();
  await sent;
  await eventually(async () => (await vhost.queue('early.info'))?.messagesReady === 3);
});

it('ends an application whose broker never came', async () => {
  const transportUrl = vhost.urlVia({ port: await freePort() });
  const { app, notifier } = await startNotifying({ transportUrl, flushTimeoutMs: 50 }, {});
  const lost = notifier.info('e', {});
  await app.close();
  await expect(lost).rejects.toMatchObject({ name: 'ClosedError' });
});
