import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RabbitOptions, RpcClient, RpcServer, type RpcServerOptions } from '../../../lib/index.js';
import { type Capture, type CapturedFrame, readGolden } from '../../golden/read-golden.js';
import type { AmqpMethod } from '../../support/amqp-frames.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { useVhost } from '../../support/rabbit.js';
import { collect } from '../rabbit/collected-deliveries.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

type Message = Record<string, unknown>;
type OldPublish = Pick<Capture, 'basic_publish' | 'body_raw' | 'properties'>;

/** What a client and a server of 2015 sent to each other. */
const old = readGolden('old_peer.1.7.0.json') as {
  call: OldPublish;
  reply_queue_declared_by_client: CapturedFrame[];
  reply_exchange_declared_by_server: CapturedFrame[];
  reply_result: OldPublish[];
  reply_null_result: OldPublish[];
  reply_failure: OldPublish[];
};
const { client_reply_connection: today } = readGolden('declarations.14.0.3.json') as {
  client_reply_connection: CapturedFrame[];
};

const TARGET = { exchange: 'nova', topic: 'conductor' };
const DECLARING = ['ExchangeDeclare', 'QueueDeclare', 'QueueBind', 'BasicConsume'];
const IDS = new Set(['_msg_id', '_unique_id', '_reply_q']);
const REPLY_QUEUE = /reply_[0-9a-f]{32}/g;

const vhost = useVhost();
// Hooks run from the last to the first: whoever still consumes a queue that is deleted would make it again.
afterEach(async () => {
  await proxy.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});
const brokers = useBrokers(afterEach);
const ends: { close(): Promise<void> }[] = [];
let proxy: AmqpProxy;

beforeEach(async () => {
  proxy = await AmqpProxy.start(vhost.address);
});
afterEach(() => Promise.all(ends.splice(0).map((end) => end.close())));

/** Frames without what differs by nature: the reserved ticket, the number in the queue's name. */
function comparable(frames: readonly Pick<AmqpMethod, 'fields' | 'method'>[]): unknown[] {
  return frames.map(({ method, fields: { ticket: _reserved, ...fields } }) => {
    return JSON.parse(JSON.stringify({ method, fields }).replaceAll(REPLY_QUEUE, 'reply_id')) as unknown;
  });
}

/** The message in an envelope. */
function enclosed(body: string): Message {
  const { 'oslo.version': version, 'oslo.message': text } = JSON.parse(body) as Record<string, string>;
  expect(version).toBe('2.0');
  return JSON.parse(text!) as Message;
}

/** Ids by their names alone. */
function withoutIds(message: Message): Message {
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, IDS.has(key) ? 'id' : value]));
}

const methods = {
  echo: (args: object) => args,
  null: () => null,
  // Python's ValueError is a RangeError here.
  fail_value: () => Promise.reject(Object.assign(new RangeError("('x', 1)"), { args: ['x', 1] })),
};

async function serve(options: RpcServerOptions, bus: RabbitOptions = {}): Promise<void> {
  const broker = brokers.open(vhost.urlVia(proxy), bus);
  const server = new RpcServer(broker, { ...TARGET, server: 'host1' }, [{ methods }], options);
  ends.push(server);
  await server.start();
}

/** Sends the captured request to our server; the answers, as many as the server sends. */
async function answersTo(method: string, count: number): Promise<Buffer[]> {
  const { call } = old;
  const body = call.body_raw.replace('echo', method);
  const replyQueue = String(enclosed(body)['_reply_q']);
  const broker = brokers.open(vhost.url);
  const answers = collect();
  await broker.consume(
    answers.request([{ kind: 'queue', name: replyQueue, durable: false, autoDelete: false, arguments: {} }]),
  );
  await broker.publish({ ...TARGET, routingKey: 'conductor', body });
  for (let n = 0; n < count; n += 1) (await answers.next()).ack();
  // No more than these: the end of the server waits for what it still sends.
  await Promise.all(ends.splice(0).map((end) => end.close()));
  return proxy.sent('BasicPublish').map(({ body: sent }) => sent!);
}

describe('legacyReplyExchange', () => {
  it('declares the exchange and the binding of 1.7.0, and the queue of today', async () => {
    await serve({});
    proxy.clear();
    const client = new RpcClient(brokers.open(vhost.urlVia(proxy), { legacyReplyExchange: true }), TARGET, {});
    ends.push(client);
    expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
    const own = proxy.sent(...DECLARING).filter(({ fields }) => JSON.stringify(fields).includes(client.replyQueue));
    // The queue is its consumer's own affair: it is to survive a reconnection, so it does not delete itself.
    const expected = old.reply_queue_declared_by_client.map(
      (frame) => (frame.method === 'QueueDeclare' && today.find(({ method }) => method === 'QueueDeclare')) || frame,
    );
    expect(comparable(own)).toEqual(comparable(expected));
  });

  it('gives a server of 1.7.0 what it asks the broker for', () => {
    const [asked] = comparable(old.reply_exchange_declared_by_server) as { fields: Message }[];
    const [declared] = comparable(old.reply_queue_declared_by_client) as { fields: Message }[];
    expect(asked!.fields).toEqual({ ...declared!.fields, passive: true });
    for (const { basic_publish: publish } of [...old.reply_result, ...old.reply_failure]) {
      expect(publish.exchange).toBe(publish.routing_key);
    }
  });
});

describe('legacyTwoMessageReplies', () => {
  it('writes a result as 1.7.0 does', async () => {
    await serve({ legacyTwoMessageReplies: true });
    const ours = (await answersTo('echo', 2)).map((body) => withoutIds(enclosed(`${body}`)));
    expect(ours).toEqual(old.reply_result.map(({ body_raw: body }) => withoutIds(enclosed(body))));
  });

  it('writes a failure as 1.7.0 does, but for the traceback', async () => {
    await serve({ legacyTwoMessageReplies: true });
    const split = (message: Message): unknown[] => {
      const { failure, ...rest } = withoutIds(message);
      const told = JSON.parse(String(failure)) as Message | null;
      return [told && { ...told, tb: Array.isArray(told['tb']) }, rest];
    };
    const ours = (await answersTo('fail_value', 2)).map((body) => split(enclosed(`${body}`)));
    expect(ours).toEqual(old.reply_failure.map(({ body_raw: body }) => split(enclosed(body))));
  });

  it('writes of null the last message of 1.7.0 alone', async () => {
    // The first one is a heartbeat to callers of today, and 14.0.3 and 18.3.1 fail at one that they did not ask for.
    await serve({ legacyTwoMessageReplies: true });
    const ours = (await answersTo('null', 1)).map((body) => withoutIds(enclosed(`${body}`)));
    const [, last] = old.reply_null_result;
    expect(ours).toEqual([withoutIds(enclosed(last!.body_raw))]);
  });
});

// The oldest release that can be run encloses its RPC messages already; before, the message itself was the body. So says
// `deserialize_msg` of all releases: "a message from before we added a message envelope (referred to as version 1.0)".
describe('legacyBareMessages', () => {
  it('writes the request that 1.7.0 encloses', async () => {
    await serve({});
    proxy.clear();
    const client = new RpcClient(
      brokers.open(vhost.urlVia(proxy), { legacyBareMessages: true }),
      { ...TARGET, version: '1.0' },
      {},
    );
    ends.push(client);
    const { args, _context_user: user, _context_is_admin: is_admin, ...rest } = enclosed(old.call.body_raw);
    await client.call('echo', args as Record<string, unknown>, { context: { user, is_admin } });
    const sent = proxy.sent('BasicPublish').find(({ fields }) => fields['routingKey'] === 'conductor');
    expect(withoutIds(JSON.parse(`${sent!.body}`) as Message)).toEqual({
      ...withoutIds(rest),
      args,
      _context_user: user,
      _context_is_admin: is_admin,
      // Of the call monitor, which is younger.
      _timeout: null,
    });
  });

  it('writes the answer that 1.7.0 encloses', async () => {
    await serve({ legacyTwoMessageReplies: true }, { legacyBareMessages: true });
    const ours = (await answersTo('echo', 2)).map((body) => withoutIds(JSON.parse(`${body}`) as Message));
    expect(ours).toEqual(old.reply_result.map(({ body_raw: body }) => withoutIds(enclosed(body))));
  });
});
