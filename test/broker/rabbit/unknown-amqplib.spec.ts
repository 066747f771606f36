import { afterEach, expect, it, vi } from 'vitest';
import { FrameWriter } from '../../../lib/broker/rabbit/frame-writer.js';
import { NotificationListener, NotifierCore, RpcClient, RpcServer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from './rabbit-brokers.js';

const vhost = useVhost();
const brokers = useBrokers(afterEach);
const target = { exchange: 'nova', topic: 'conductor' };

afterEach(() => vi.restoreAllMocks());

it.each(['of', 'channelOf'] as const)(
  'an amqplib whose inside is not known (%s) writes everything itself, and all works',
  async (check) => {
    vi.spyOn(FrameWriter, check).mockReturnValue(undefined);
    const [serving, calling] = [brokers.open(vhost.url), brokers.open(vhost.url)];
    const server = new RpcServer(serving, { ...target, server: 'host1' }, [
      { methods: { echo: ({ n }: { n: unknown }) => n } },
    ]);
    await server.start();
    const client = new RpcClient(calling, target, { timeout: 10 });
    const values = Array.from({ length: 50 }, (_, n) => n);
    expect(await Promise.all(values.map((n) => client.call('echo', { n })))).toEqual(values);
    const long = 'é'.repeat(200_000);
    expect(await client.call('echo', { n: long })).toBe(long);

    const heard: unknown[] = [];
    const notifications = { exchange: 'nova', topics: ['notifications'] };
    const handler = ({ payload }: { payload: unknown }): void => void heard.push(payload);
    const listener = new NotificationListener(serving, [{ ...notifications, priorities: ['info'], handler }]);
    await listener.start();
    await new NotifierCore(calling, { ...notifications, publisherId: 'compute.host1' }).info('event', { n: 1 });
    await eventually(() => heard.length === 1);
    await listener.close();
    await client.close();
    await server.close();
    for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
  },
);
