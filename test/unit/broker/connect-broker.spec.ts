import { seamOf } from '../../../lib/broker/broker.js';
import { makeBroker } from '../../../lib/broker/connect-broker.js';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigurationError, connectBroker, createBroker, InvalidTransportUrl } from '../../../lib/index.js';
import type { MessageBroker as Broker } from '../../../lib/broker/broker.js';
import { queue } from '../../behaviour/declarations.js';

describe('connectBroker', () => {
  const brokers: Broker[] = [];
  afterEach(() => Promise.all(brokers.splice(0).map((broker) => broker.close())));

  async function connect(url: string): Promise<Broker> {
    const broker = seamOf(await connectBroker(url));
    brokers.push(broker);
    return broker;
  }

  it('two clients of one name meet, another name is another bus', async () => {
    const url = `memory://${randomUUID()}`;
    const [one, two, other] = [await connect(url), await connect(url), await connect(`memory://${randomUUID()}`)];
    await one.publish({ exchange: '', routingKey: 'q', body: '{}', topology: [queue('q')] });
    expect(await two.inspectQueue('q')).toEqual({ messages: 1, consumers: 0 });
    expect(await other.inspectQueue('q')).toBeUndefined();
  });

  it('no name is a bus of its own', async () => {
    const [one, two] = [await connect('memory://'), await connect('memory:///')];
    await one.publish({ exchange: '', routingKey: 'q', body: '{}', topology: [queue('q')] });
    expect(await two.inspectQueue('q')).toEqual({ messages: 1, consumers: 0 });
    await two.deleteQueue('q');
  });

  it('the bus keeps what it has when nobody is connected', async () => {
    const url = `memory://${randomUUID()}`;
    const one = await connect(url);
    await one.publish({ exchange: '', routingKey: 'q', body: '{}', topology: [queue('q')] });
    await one.close();
    const two = await connect(url);
    expect(await two.inspectQueue('q')).toEqual({ messages: 1, consumers: 0 });
  });

  it('options rule over those of the URL', () => {
    const broker = seamOf(
      createBroker('memory://?rabbit_qos_prefetch_count=7&heartbeat_timeout_threshold=9', {
        rabbitQosPrefetchCount: 3,
      }),
    );
    brokers.push(broker);
    expect(broker.options).toMatchObject({ rabbitQosPrefetchCount: 3, heartbeatTimeoutThreshold: 9 });
  });

  it('refuses what it cannot understand', async () => {
    expect(() => createBroker('nonsense')).toThrow(InvalidTransportUrl);
    await expect(connectBroker('nonsense')).rejects.toBeInstanceOf(InvalidTransportUrl);
    expect(() => createBroker('memory://?no_such_option=1')).toThrow(ConfigurationError);
    const waiting = connectBroker('memory://', { startupTimeoutMs: Number.NaN });
    await expect(waiting).rejects.toThrow(/startupTimeoutMs/);
  });

  it('takes rabbit:// for RabbitMQ, and shows no password', async () => {
    const broker = seamOf(createBroker('rabbit://me:secret@127.0.0.1:1/'));
    broker.events.subscribe(() => undefined);
    brokers.push(broker);
    expect(broker.url).toContain('127.0.0.1:1');
    expect(broker.url).not.toContain('secret');
  });
});

describe('credentials of some hosts only', () => {
  const reportsOf = async (url: string): Promise<unknown[]> => {
    const broker = makeBroker(url, {}, 'when needed');
    const events: unknown[] = [];
    broker.events.subscribe((event) => void (event.type === 'credentials-missing' && events.push(event)));
    await Promise.resolve();
    await broker.close();
    return events;
  };

  it.each([
    ['rabbit://nova:secret@h1,h2:5673,h3/', ['h2', 'h3']],
    ['rabbit://nova:secret@h1,cinder@h2/', ['h2']],
    ['rabbit://h1,nova:secret@[fd00::2]/', ['h1']],
    ['kafka://nova:secret@k1,k2/', ['k2']],
  ])('are a warning, as of Python: %s', async (url, hosts) => {
    const events = await reportsOf(url);
    expect(events).toMatchObject([{ level: 'warn', hosts, message: expect.stringContaining(hosts.join(', ')) }]);
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  it.each(['rabbit://nova:a@h1,nova:b@h2/', 'rabbit://h1,h2/', 'rabbit://', 'rabbit://nova:a@h1/'])(
    'are not those of %s',
    async (url) => {
      expect(await reportsOf(url)).toEqual([]);
    },
  );
});
