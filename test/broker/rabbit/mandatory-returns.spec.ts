import { afterEach, expect, it } from 'vitest';
import { MessageUndeliverable } from '../../../lib/index.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from './rabbit-brokers.js';
import { topicTopology } from './topologies.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);

it('among many in flight, exactly the mandatory ones without a queue come back', async () => {
  const broker = brokers.open(vhost.url);
  const topology = topicTopology('tx', 'there');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 300 }, (_, index) =>
      broker.publish({
        exchange: index % 5 === 4 ? '' : 'tx',
        routingKey: index % 3 === 0 ? 'nowhere' : 'there',
        body: `{"n":${index}}`,
        mandatory: index % 2 === 0,
        topology,
      }),
    ),
  );
  outcomes.forEach((outcome, index) => {
    const lost = index % 2 === 0 && index % 3 === 0;
    expect([index, outcome.status]).toEqual([index, lost ? 'rejected' : 'fulfilled']);
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toBeInstanceOf(MessageUndeliverable);
      expect(outcome.reason).toMatchObject({ exchange: index % 5 === 4 ? '' : 'tx', routingKey: 'nowhere' });
    }
  });
  await broker.deleteQueue('there');
});

it('as many as came back fail, where several are the same to the byte', async () => {
  const broker = brokers.open(vhost.url);
  await broker.connected();
  const same = { exchange: '', routingKey: 'nowhere', body: '{"same":true}' };
  const outcomes = await Promise.allSettled([
    broker.publish({ ...same, mandatory: true }),
    broker.publish(same),
    broker.publish({ ...same, mandatory: true }),
    broker.publish({ ...same, body: '{"same":0}', mandatory: true }),
    broker.publish(same),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled']);
});
