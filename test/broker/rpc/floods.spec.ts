import amqp, { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Gate } from '../../unit/rpc/support/rpc-bus.js';
import { useRpcEnds } from '../../interop/support/rpc-ends.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
const ours = useRpcEnds(() => vhost.url);
let connection: ChannelModel;
let channel: ConfirmChannel;
beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
  channel = await connection.createConfirmChannel();
});
afterAll(() => connection.close());

async function flood(topic: string, count: number, queueOf: (n: number) => string): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const request = { method: 'echo', args: { n }, _msg_id: `m${n}`, _reply_q: queueOf(n), _unique_id: `${topic}${n}` };
    const body = { 'oslo.version': '2.0', 'oslo.message': JSON.stringify({ ...request, _timeout: null }) };
    channel.publish('nova', topic, Buffer.from(JSON.stringify(body)), { contentType: 'application/json' });
  }
  await channel.waitForConfirms();
}

it.each([
  ['one missing reply queue', () => 'reply_of_one'],
  ['1000 missing reply queues', (n: number) => `reply_of_${n % 1000}`],
])(
  'callers are answered while 3000 answers wait for %s',
  async (_what, queueOf) => {
    const topic = `flooded-${queueOf(1)}`;
    // One handler slot: an answer that kept it would keep everybody.
    const server = await ours.serve(
      { exchange: 'nova', topic, server: 'host1' },
      [{ methods: { echo: (args: object) => args } }],
      { executorThreadPoolSize: 1 },
    );
    const client = ours.client({ exchange: 'nova', topic }, { timeout: 150 });
    await client.call('echo', {});
    const flooding = flood(topic, 3000, queueOf);
    for (let n = 0; n < 50; n += 1) expect(await client.call('echo', { n })).toEqual({ n });
    await flooding;
    await eventually(() => server.counters.dispatched === 3051, 'all to be run', 90_000);
    // They are still waiting: nothing was given up to make that room.
    expect(ours.eventsOf('reply-dropped').filter(({ replyQueue }) => replyQueue.startsWith('reply_of_'))).toEqual([]);
    expect(await client.call('echo', { n: -1 })).toEqual({ n: -1 });
    await server.close();
    await eventually(() => ours.eventsOf('reply-dropped').length === 3000);
    ours.events.length = 0;
  },
  180_000,
);

it('slow handlers keep their callers by heartbeats, while others are called without end', async () => {
  const gate = new Gate<string>();
  const target = { exchange: 'nova', topic: 'slow' };
  const methods = { slow: () => gate.opened, echo: (args: object) => args };
  await ours.serve({ ...target, server: 'host1' }, [{ methods }], { executorThreadPoolSize: 20 });
  const client = ours.client(target, { timeout: 60 });
  const patient = client.prepare({ callMonitorTimeout: 6 });
  let ended = 0;
  const slow = Array.from({ length: 15 }, () => patient.call('slow').finally(() => (ended += 1)));
  // At three intervals of half that time: a call that none had reached would have ended by then.
  while (client.counters.heartbeats < 15 * 3) {
    const good = Array.from({ length: 40 }, (_, n) => ({ n }));
    expect(await Promise.all(good.map((args) => client.call('echo', args)))).toEqual(good);
    expect(ended).toBe(0);
  }
  gate.open('done');
  expect(await Promise.all(slow)).toEqual(slow.map(() => 'done'));
}, 180_000);
