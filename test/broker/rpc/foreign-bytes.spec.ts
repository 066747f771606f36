import amqp, { type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../../../lib/index.js';
import { useRpcEnds } from '../../interop/support/rpc-ends.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';

const JSON_TYPE = { contentType: 'application/json', contentEncoding: 'utf-8' };
const MIB = 1 << 20;

describe('bytes that no honest peer sends', () => {
  const vhost = useVhost();
  const ours = useRpcEnds(() => vhost.url);
  const target = { exchange: 'nova', topic: 'conductor' };
  const replyQueue = 'answers-to-odd-requests';
  const answers: Record<string, unknown>[] = [];
  let connection: ChannelModel;
  let channel: ConfirmChannel;
  let client: RpcClient;

  beforeAll(async () => {
    await ours.serve({ ...target, server: 'host1' }, [{ methods: { echo: (args: object) => args } }]);
    client = ours.client(target, { timeout: 10 });
    connection = await amqp.connect(vhost.amqpUrl);
    channel = await connection.createConfirmChannel();
    await channel.assertQueue(replyQueue, { exclusive: true });
    await channel.consume(replyQueue, (message) => {
      const { 'oslo.message': inner } = JSON.parse(message!.content.toString()) as Record<string, string>;
      answers.push(JSON.parse(inner!) as Record<string, unknown>);
      channel.ack(message!);
    });
  });
  afterAll(() => connection?.close());
  beforeEach(() => void answers.splice(0));

  function publish(body: Buffer | string, options: Options.Publish = JSON_TYPE): Promise<void> {
    channel.publish('nova', 'conductor', Buffer.from(body), options);
    return channel.waitForConfirms();
  }

  const sealed = (inner: string): string => JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': inner });
  const good = '{"method": "echo", "args": {}}';
  const asCall = (fields: string): string => sealed(`{${fields}, "_msg_id": "m1", "_reply_q": "${replyQueue}"}`);

  const rejections = (): object[] => ours.eventsOf('message-rejected');

  async function goesOn(): Promise<void> {
    expect(await client.call('echo', { still: 'here' })).toEqual({ still: 'here' });
    expect(await vhost.queue('conductor')).toMatchObject({ messagesReady: 0, consumers: 1 });
  }

  it.each<[string, Buffer | string, Options.Publish]>([
    ['no JSON', 'not json', JSON_TYPE],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00]), JSON_TYPE],
    ['nothing', '', JSON_TYPE],
    ['a list', '[1, 2]', JSON_TYPE],
    ['bad inner JSON', sealed('{'), JSON_TYPE],
    ['an inner list', sealed('[]'), JSON_TYPE],
    ['envelope 2.1', JSON.stringify({ 'oslo.version': '2.1', 'oslo.message': good }), JSON_TYPE],
    ['envelope 3.0', JSON.stringify({ 'oslo.version': '3.0', 'oslo.message': good }), JSON_TYPE],
    ['envelope 2.0 as a number', JSON.stringify({ 'oslo.version': 2.0, 'oslo.message': good }), JSON_TYPE],
    ['no content type', sealed(good), {}],
    ['text/plain', sealed(good), { contentType: 'text/plain' }],
    ['no method', sealed('{"args": {}}'), JSON_TYPE],
    ['broken compression', sealed(good), { ...JSON_TYPE, headers: { compression: 'application/x-gzip' } }],
  ])('%s is rejected with a report', async (_what, body, options) => {
    const before = rejections().length;
    await publish(body, options);
    await eventually(() => rejections().length === before + 1);
    expect(rejections().at(-1)).toMatchObject({ queue: 'conductor', level: expect.stringMatching(/error|warn/) });
    await goesOn();
  });

  it.each([
    ['a method that is not a string', '"method": {"a": 1}, "args": {}'],
    ['no method', '"args": {}'],
    ['args that are not an object', '"method": "echo", "args": [1]'],
    ['__proto__ as an argument', '"method": "echo", "args": {"__proto__": {"admin": true}}'],
    ['__proto__ in the context', '"method": "echo", "args": {}, "_context___proto__": {"admin": true}'],
    ['100 000 nested lists', `"method": "echo", "args": {"deep": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('a call with %s is answered with a failure', async (_what, fields) => {
    await publish(asCall(fields));
    const answer = await eventually(() => answers[0]);
    expect(JSON.parse(String(answer['failure']))).toMatchObject({ class: 'ValueError', module: 'builtins' });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    await goesOn();
  });

  it.each([
    ['that AMQP cannot hold', 'q'.repeat(300)],
    ['that is empty', ''],
    ['that nobody has', 'reply_of_nobody'],
  ])('a call with a reply queue %s is nobody’s problem', async (_what, queue) => {
    await publish(sealed(`{"method": "echo", "args": {}, "_msg_id": "m1", "_reply_q": "${queue}", "_timeout": 1}`));
    expect(await client.call('echo', { after: queue })).toEqual({ after: queue });
    await goesOn();
  });

  it('16 MiB are answered, and more are rejected unread', async () => {
    const before = rejections().length;
    const text = 'x'.repeat(16 * MIB - 1000);
    await publish(asCall(`"method": "echo", "args": {"text": "${text}"}`));
    const answer = await eventually(() => answers[0], 'the answer', 25_000);
    expect((answer['result'] as { text: string }).text).toHaveLength(text.length);
    await publish(asCall(`"method": "echo", "args": {"text": "${text}${'x'.repeat(1000)}"}`));
    await eventually(() => rejections().length === before + 1, 'the rejection', 25_000);
    await goesOn();
  }, 60_000);

  it('good requests between bad ones are all answered', async () => {
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 50; n += 1) {
      channel.publish('nova', 'conductor', Buffer.from(n % 2 ? 'poison' : sealed('[]')), JSON_TYPE);
      calls.push(client.call('echo', { n }));
    }
    expect(await Promise.all(calls)).toEqual(calls.map((_call, n) => ({ n })));
    await goesOn();
  });

  it('a poisoned reply harms no other call', async () => {
    const calling = client.call('echo', { n: 1 });
    for (const body of ['poison', '[]', '{"result": 1}', sealed('{"_msg_id": 7}')]) {
      channel.publish('', client.replyQueue, Buffer.from(body), JSON_TYPE);
    }
    expect(await calling).toEqual({ n: 1 });
    await eventually(() => client.counters.malformedReplies === 4);
    await goesOn();
  });
});
