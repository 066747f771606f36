import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type IncomingNotification, NotificationListener, NotifierCore } from '../../../lib/index.js';

import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

let server: RabbitServer;
beforeAll(async () => {
  server = await startRabbit();
});
// Hooks end in the reverse order: the server last.
afterAll(() => server?.dispose());
const vhost = useVhost({ server: () => server });
const brokers = useBrokers(afterEach);

const COUNT = Number(process.env['OSLO_TEST_NOTIFICATIONS'] ?? 10_000);
const durable = { amqpDurableQueues: true };

it('every confirmed notification is delivered, a second time only recognisably', async () => {
  const heard = new Map<number, number>();
  const listener = new NotificationListener(brokers.open(vhost.url, durable), [
    {
      priorities: 'info',
      concurrency: 50,
      handler: async ({ payload }: IncomingNotification) => {
        const { n } = payload as { n: number };
        heard.set(n, (heard.get(n) ?? 0) + 1);
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
  ]);
  await listener.start();
  const notifier = new NotifierCore(brokers.open(vhost.url, durable));
  const confirmed = new Set<number>();
  let next = 0;
  const publish = async (): Promise<void> => {
    while (next < COUNT) {
      const n = next++;
      await notifier.info('a', { n }).then(
        () => confirmed.add(n),
        () => undefined,
      );
    }
  };
  const publishing = Promise.all(Array.from({ length: 200 }, publish));
  for (const part of [0.2, 0.4, 0.6]) {
    await eventually(() => confirmed.size >= COUNT * part, 'enough confirmed', 60_000);
    await server.kill();
    await server.start();
  }
  await publishing;
  expect(confirmed.size).toBe(COUNT);
  await eventually(() => heard.size === COUNT, 'all heard', 60_000);
  await eventually(async () => {
    const queue = await vhost.queue('notifications.info');
    return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0;
  });
  // One process hears each once: what came twice was recognised by its id.
  expect([...heard.values()].filter((times) => times > 1)).toEqual([]);
  await listener.close();
}, 180_000);
