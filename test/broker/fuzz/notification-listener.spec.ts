import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { NotificationListener, NotifierCore } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { mutants } from '../../support/mutations.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';
import { MutantPublisher } from './mutant-publisher.js';
import { EventCounts, inRounds, LONGEST_MS, MUTANTS } from './rounds.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
let mutant: MutantPublisher;
beforeAll(async () => void (mutant = await MutantPublisher.connect(vhost.amqpUrl)));
afterAll(() => mutant.close());

it(
  'a listener hears every good notification among mutants',
  async () => {
    const broker = brokers.open(vhost.url);
    const heard: unknown[] = [];
    const listener = new NotificationListener(broker, [
      { priorities: 'info', filter: { eventType: 'good' }, handler: ({ payload }) => void heard.push(payload) },
      { priorities: 'info', filter: { context: { x: '*' }, payload: { a: /x/ } }, handler: () => undefined },
    ]);
    await listener.start();
    const notifier = new NotifierCore(broker, { publisherId: 'test' });
    const expected: unknown[] = [];
    const events = new EventCounts();
    await inRounds(async (round, count, seed) => {
      const sent = mutant.send(count, mutants('notification_'), seed, 'openstack', 'notifications.info');
      const good = Array.from({ length: 25 }, (_, n) => ({ round, n }));
      expected.push(...good);
      await Promise.all(good.map((payload) => notifier.info('good', payload)));
      await sent;
      await eventually(() => heard.length === expected.length, 'the good ones', 30_000);
      events.take(broker.reported);
    });
    expect(heard).toEqual(expected);
    await eventually(async () => {
      const queue = await vhost.queue('notifications.info');
      return queue?.messagesReady === 0 && queue.messagesUnacknowledged === 0 && queue.consumers === 1;
    });
    events.take(broker.reported);
    const { acknowledged, unmatched, duplicates, rejected, failed } = listener.counters;
    expect(rejected).toBe(events.of('message-rejected'));
    expect(acknowledged + unmatched + duplicates + rejected - expected.length).toBe(MUTANTS);
    for (const many of [unmatched, rejected]) expect(many).toBeGreaterThan(MUTANTS / 100);
    expect([failed, events.of('consumers-lost')]).toEqual([0, 0]);
    await listener.close();
    await notifier.close();
  },
  LONGEST_MS,
);
