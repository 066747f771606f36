import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from './collected-deliveries.js';
import { type ObservedBroker, useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';
import { useWorkProxy } from './work-proxy.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const topology = topicTopology('tx', 'work');
/** Far less than the minute that answers behind deliveries may take. */
const PATIENCE_MS = 20_000;

const proxy = useWorkProxy({ beforeEach, afterEach }, vhost);

function impatient(): ObservedBroker {
  return brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 1_000, consumerCheckIntervalMs: 300 });
}

describe('an answer of the broker that never comes, on a line that lives', () => {
  it.each(['ChannelOpenOk', 'BasicQosOk', 'BasicConsumeOk'])('%s: consumed on another channel', async (method) => {
    const broker = impatient();
    await broker.connected();
    // The publish connection is there: what comes now is the consumer's.
    await broker.publish({ exchange: '', routingKey: 'nobody', body: '{}' });
    const swallowed = proxy.strike({
      from: 'broker',
      method,
      when: ({ connection }) => connection === 1,
      fault: 'swallow',
    });
    const received = collect();
    const consuming = broker.consume(received.request(topology, { prefetch: 10 }));
    await swallowed;
    const subscription = await consuming;
    await eventually(() => subscription.consuming, 'consuming', PATIENCE_MS);
    await broker.publish({ exchange: 'tx', routingKey: 'work', body: 'heard' });
    expect(Buffer.from((await received.next()).body).toString()).toBe('heard');
    expect(await vhost.queue('work')).toMatchObject({ consumers: 1 });
  });

  it('BasicConsumeOk: not awaited for longer as other questions are answered', async () => {
    const broker = impatient();
    await broker.connected();
    await broker.publish({ exchange: '', routingKey: 'nobody', body: '{}' });
    const swallowed = proxy.strike({ from: 'broker', method: 'BasicConsumeOk', fault: 'swallow' });
    const consuming = broker.consume(collect().request(topology));
    await swallowed;
    // As calls do that come to their deadlines.
    const questions = setInterval(() => {
      for (let n = 0; n < 20; n += 1) broker.inspectQueue('work').catch(() => undefined);
    }, 10);
    const subscription = await consuming;
    await eventually(() => subscription.consuming, 'consuming', PATIENCE_MS);
    clearInterval(questions);
    expect(await vhost.queue('work')).toMatchObject({ consumers: 1 });
  });

  it('BasicConsumeOk: asked again on another channel long before a line is given up', async () => {
    const broker = brokers.open(vhost.urlVia(proxy), { livenessTimeoutMs: 60_000 });
    await broker.connected();
    await broker.publish({ exchange: '', routingKey: 'nobody', body: '{}' });
    const swallowed = proxy.strike({ from: 'broker', method: 'BasicConsumeOk', fault: 'swallow' });
    const consuming = broker.consume(collect().request(topology));
    await swallowed;
    const subscription = await consuming;
    await eventually(() => subscription.consuming, 'consuming', PATIENCE_MS);
    await eventually(async () => (await vhost.queue('work'))?.consumers === 1);
  });

  it('ConfirmSelectOk: published on another channel', async () => {
    const swallowed = proxy.strike({ from: 'broker', method: 'ConfirmSelectOk', fault: 'swallow' });
    const broker = impatient();
    const sent = broker.publish({ exchange: '', routingKey: 'nobody', body: '{}' });
    await swallowed;
    await expect(sent).resolves.toBeUndefined();
  });

  it('BasicCancelOk of a consumer that the broker has forgotten: consumed again', async () => {
    const broker = impatient();
    const subscription = await broker.consume(collect().request(topology));
    const swallowed = ['BasicCancel', 'BasicCancelOk'].map((method) =>
      proxy.strike({ from: 'broker', method, fault: 'swallow' }),
    );
    await vhost.deleteQueue('work');
    await Promise.all(swallowed);
    await eventually(() => subscription.consuming, 'consuming', PATIENCE_MS);
    await eventually(async () => (await vhost.queue('work'))?.consumers === 1);
  });
});
