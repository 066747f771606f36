import { afterEach, describe, expect, it } from 'vitest';
import { type RabbitOptions, RpcClient, RpcServer } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

const vhost = useVhost({ mayLeave: /_fanout$/ });
const brokers = useBrokers(afterEach);

const plain: RabbitOptions = {};
const durable: RabbitOptions = { amqpDurableQueues: true };
const quorum: RabbitOptions = { rabbitQuorumQueue: true };
const ownQuorum: RabbitOptions = { rabbitTransientQuorumQueue: true };
const stream: RabbitOptions = { ...ownQuorum, rabbitStreamFanout: true };

let topics = 0;

/** The first declares everything; both run at a time, as in an upgrade host by host. */
async function besides(old: RabbitOptions, wanted: RabbitOptions) {
  topics += 1;
  const target = { exchange: `exchange${topics}`, topic: `topic${topics}` };
  const started = await Promise.all([old, wanted].map(async (options) => brokers.open(vhost.url, options)));
  const heard = [0, 0];
  const servers = started.map(
    (broker, n) =>
      new RpcServer(broker, { ...target, server: `host${n}` }, [{ methods: { tell: () => (heard[n]! += 1) } }]),
  );
  return { target, heard, broker: started[1]!, old: servers[0]!, renewed: servers[1]! };
}

describe('a server whose queues were made with other settings', () => {
  it.each<[string, RabbitOptions, RabbitOptions, RegExp[]]>([
    ['plain, now durable', plain, durable, [/^exchange\d+$/, /^topic\d+$/, /^topic\d+\.host1$/]],
    ['plain, now quorum', plain, quorum, [/^exchange\d+$/, /^topic\d+$/]],
    ['durable, now plain', durable, plain, [/^exchange\d+$/, /^topic\d+$/]],
    ['quorum, now plain', quorum, plain, [/^exchange\d+$/, /^topic\d+$/]],
    ['plain, now quorum for fanouts', plain, ownQuorum, [/^topic\d+_fanout$/]],
    ['quorum for fanouts, now plain', ownQuorum, plain, [/^topic\d+_fanout$/]],
    ['quorum for fanouts, now a stream', ownQuorum, stream, []],
  ])('takes them as they are, and says so: %s', async (_what, before, now, taken) => {
    const { target, heard, broker, old, renewed } = await besides(before, now);
    await old.start();
    await renewed.start();
    const mismatches = broker.reports('durability-mismatch').map(({ name }) => name);
    expect(mismatches).toEqual(taken.map((name) => expect.stringMatching(name)));
    const client = new RpcClient(brokers.open(vhost.url, now), target);
    await client.fanout('tell');
    await eventually(() => heard[0] === 1 && heard[1] === 1);
    for (const server of ['host0', 'host1']) await client.prepare({ server }).call('tell');
    await client.close();
    await old.close();
    await renewed.close();
  });

  it.each<[string, RabbitOptions, RabbitOptions, string]>([
    ['durable, now quorum', durable, quorum, 'x-queue-type'],
    ['quorum, now durable', quorum, durable, 'x-queue-type'],
    ['quorum, now with a limit', quorum, { ...quorum, rabbitQuorumDeliveryLimit: 5 }, 'x-delivery-limit'],
    ['plain, now auto-delete', plain, { amqpAutoDelete: true }, 'auto_delete'],
  ])('does not start: %s', async (_what, before, now, difference) => {
    const { old, renewed } = await besides(before, now);
    await old.start();
    await expect(renewed.start()).rejects.toMatchObject({
      code: 'OSLO_TOPOLOGY',
      message: expect.stringContaining(`inequivalent arg '${difference}'`),
    });
    await old.close();
  });
});
