import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { NotificationResult, OnNotification, OsloNotificationContext } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { startNotifying } from '../unit/nest/notification-apps.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

interface Heard {
  by: string;
  payload: unknown;
  context: OsloNotificationContext;
}

describe.each(pythonVersions)('a Nest application and oslo.messaging %s', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const peer = usePythonPeer({ version, url: () => vhost.url });

  it.each(['messaging', 'messagingv2'])('hears what Python sends by %s', async (driver) => {
    const heard: Heard[] = [];
    @Injectable()
    class Listener {
      @OnNotification('error', { eventType: 'compute.*', topics: [driver] })
      error(@Payload() payload: unknown, @Ctx() context: OsloNotificationContext) {
        heard.push({ by: 'error', payload, context });
      }

      @OnNotification('error', { topics: [driver], pool: `${driver}-pool`, allowRequeue: true })
      pooled(@Payload('id') payload: unknown, @Ctx() context: OsloNotificationContext) {
        heard.push({ by: 'pooled', payload, context });
        return context.redelivered ? NotificationResult.HANDLED : NotificationResult.REQUEUE;
      }
    }
    const options = { transportUrl: vhost.url, exchange: 'openstack' };
    await startNotifying(options, { providers: [Listener] });
    const sent = { priority: 'error' as const, publisher_id: 'compute.py1', driver, topics: [driver] };
    await peer.notify({ ...sent, event_type: 'compute.fail', payload: { id: 2n ** 60n, text: 'ž' } });
    await peer.notify({ ...sent, event_type: 'volume.fail', payload: { id: 2 } });
    await eventually(() => heard.length === 5, 'one of error, two of the pool twice');
    const error = heard.find(({ by }) => by === 'error');
    expect(error).toMatchObject({ payload: { id: 2n ** 60n, text: 'ž' } });
    expect(error?.context).toMatchObject({
      priority: 'error',
      eventType: 'compute.fail',
      publisherId: 'compute.py1',
      redelivered: false,
    });
    const pooled = heard
      .filter(({ by }) => by === 'pooled')
      .map(({ payload, context }) => [payload, context.redelivered]);
    expect(pooled).toHaveLength(4);
    expect(pooled).toEqual(
      expect.arrayContaining([
        [2n ** 60n, false],
        [2n ** 60n, true],
        [2, false],
        [2, true],
      ]),
    );
  });

  it.each(['messaging', 'messagingv2'] as const)('tells Python by %s', async (driver) => {
    const topic = `to-python-${driver}`;
    await peer.listen({ name: driver, targets: [{ exchange: 'nova', topic }], priorities: ['warn'] });
    const options = {
      transportUrl: vhost.url,
      exchange: 'nova',
      publisherId: 'compute.nest1',
      driver,
      topics: [topic],
    };
    const { notifier } = await startNotifying(options, {});
    await notifier.warning('compute.slow', { seconds: 3 }, { context: { user: 'u', auth_token: 'hush' } });
    const told = await peer.waitFor('notification', ({ listener }) => listener === driver);
    expect(told).toMatchObject({
      priority: 'warn',
      publisherId: 'compute.nest1',
      eventType: 'compute.slow',
      payload: { seconds: 3 },
      context: { user: 'u', auth_token: null },
    });
  });
});
