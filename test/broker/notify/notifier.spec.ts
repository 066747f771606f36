import { afterEach, describe, expect, it } from 'vitest';
import { MessageDeliveryFailure, MessagingTimeout, NotifierCore } from '../../../lib/index.js';

import { type CapturedFrame, capturesOf, declarationsIn, readGolden } from '../../golden/read-golden.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const proxies: AmqpProxy[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

async function proxied(): Promise<AmqpProxy> {
  const proxy = await AmqpProxy.start(vhost.address);
  proxies.push(proxy);
  return proxy;
}

describe('on the wire', () => {
  it.each(['14.0.3', 'master'])('declares what %s declares, in its order', async (version) => {
    const golden = readGolden(`declarations.${version}.json`) as { notifier_connection: CapturedFrame[] };
    const wanted = new Set(declarationsIn(golden.notifier_connection).map((each) => JSON.stringify(each)));
    const [topic] = JSON.stringify([...wanted]).match(/n[dm](?=\.audit)/)!;
    const proxy = await proxied();
    const notifier = new NotifierCore(brokers.open(vhost.urlVia(proxy)), { topics: [topic] });
    for (const priority of ['audit', 'debug', 'info', 'warn', 'error', 'critical'] as const) {
      await notifier.notify(priority, 'a', {});
    }
    const declared = new Set(declarationsIn(proxy.sent()).map((each) => JSON.stringify(each)));
    expect([...declared]).toEqual([...wanted]);
  });

  it.each(capturesOf('notification_v'))('sends as %s, but mandatory', async (name, capture) => {
    const proxy = await proxied();
    const topic = capture.basic_publish.routing_key.split('.')[0]!;
    const driver = name.includes('_v1.') ? 'messaging' : 'messagingv2';
    await new NotifierCore(brokers.open(vhost.urlVia(proxy)), { topics: [topic], driver }).info('a', {});
    const [publish] = proxy.sent('BasicPublish');
    const { exchange, routing_key: routingKey } = capture.basic_publish;
    expect(publish!.fields).toMatchObject({ exchange, routingKey, mandatory: true, immediate: false });
    expect(Object.values(publish!.properties!).toSorted()).toEqual(Object.values(capture.properties).toSorted());
  });
});

describe('retry', () => {
  /** Something listens there, and refuses. */
  const refusing = async () => {
    const proxy = await proxied();
    await proxy.refuse();
    return { proxy, broker: brokers.open(vhost.urlVia(proxy), { kombuReconnectDelay: 0 }) };
  };

  it('0 and 2, with a broker that was never there: one attempt, and three', async () => {
    const { broker } = await refusing();
    const notifier = new NotifierCore(broker);
    const attempts = await Promise.all(
      [0, 2].map(async (retry) => {
        const failure = await notifier
          .prepare({ retry })
          .info('a', {})
          .catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(MessageDeliveryFailure);
        return (failure as MessageDeliveryFailure).attempts;
      }),
    );
    expect(attempts).toEqual([1, 3]);
  });

  it('-1: kept until the broker comes, or the time is over', async () => {
    const { proxy, broker } = await refusing();
    const notifier = new NotifierCore(broker);
    const kept = notifier.info('kept', {});
    await expect(notifier.info('late', {}, { timeout: 0.3 })).rejects.toBeInstanceOf(MessagingTimeout);
    await proxy.accept();
    await kept;
    await eventually(async () => (await vhost.queue('notifications.info'))?.messagesReady === 1);
  });

  it('-1: rejected at once when too many are waiting', async () => {
    const { broker } = await refusing();
    const bounded = brokers.open(broker.url.replace('***', 'guest'), { maxInFlightMessages: 3 });
    const notifier = new NotifierCore(bounded);
    const waiting = [1, 2, 3].map((n) => notifier.info('a', { n }));
    await expect(notifier.info('a', {})).rejects.toThrow(/3 messages are unconfirmed/);
    await notifier.close();
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
  });
});

it('a queue that somebody deleted is declared anew: what is confirmed is kept', async () => {
  const notifier = new NotifierCore(brokers.open(vhost.url));
  await notifier.info('a', {});
  await vhost.deleteQueue('notifications.info');
  await notifier.info('b', {});
  expect((await vhost.queue('notifications.info'))?.messagesReady).toBe(1);
});
