import { beforeEach, describe, expect, it } from 'vitest';
import type { RpcServer } from '../../../lib/index.js';
import { sealed, type RawPeer } from './support/raw-peer.js';
import { useRpcBus } from './support/rpc-bus.js';

describe('foreign bytes', () => {
  const on = useRpcBus();
  let peer: RawPeer;
  let server: RpcServer;

  beforeEach(async () => {
    peer = on().peer();
    await peer.listenForReplies();
    server = await on().serve({ echo: (args: object) => args });
  });

  const envelope = (version: unknown, message: unknown = '{"method":"echo"}'): string =>
    JSON.stringify({ 'oslo.version': version, 'oslo.message': message });

  it.each([
    ['no JSON', 'not json'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"text"'],
    ['bad inner JSON', envelope('2.0', '{')],
    ['an inner list', envelope('2.0', '[]')],
    ['an inner object that is no text', envelope('2.0', { method: 'echo' })],
    ['version 2.1', envelope('2.1')],
    ['version 3.0', envelope('3.0')],
    ['version 2.0 as a number', envelope(2.0)],
    ['a cast of no method', sealed({ args: {} })],
    ['a cast whose method is no string', sealed({ method: 7, args: {} })],
    ['a cast whose args are a list', sealed({ method: 'echo', args: [1] })],
    ['a cast with __proto__ as an argument', sealed({ method: 'echo', args: JSON.parse('{"__proto__": 1}') })],
    ['a cast with __proto__ in the context', sealed({ method: 'echo', args: {}, _context___proto__: {} })],
  ])('%s is rejected and reported, and the server goes on', async (_what, body) => {
    await peer.publish(body);
    expect(await peer.ask('echo', { args: { a: 1 } })).toMatchObject({ result: { a: 1 } });
    expect(server.counters).toMatchObject({ rejected: 1, dispatched: 1 });
    expect(on().eventsOf('message-rejected')).toMatchObject([{ queue: 'conductor', level: 'error' }]);
    expect(await peer.broker.inspectQueue('conductor')).toMatchObject({ messages: 0 });
  });

  it.each([
    ['no method', { method: undefined }],
    ['a method that is no string', { method: { a: 1 } }],
    ['args that are no object', { args: [1, 2] }],
    ['args that are null', { args: null }],
    ['a version that is no string', { version: 1.0 }],
    ['a namespace that is no string', { namespace: [] }],
    ['__proto__ as an argument', { args: JSON.parse('{"__proto__": {"admin": true}}') as object }],
    ['__proto__ in the context', { _context___proto__: { admin: true } }],
  ])('a call with %s is answered with a failure', async (_what, fields) => {
    expect(await peer.askForFailure('echo', fields)).toMatchObject({ class: 'ValueError', module: 'builtins' });
    expect(await peer.ask('echo', { args: { a: 1 } })).toMatchObject({ result: { a: 1 } });
    expect(on().eventsOf('handler-failed')).toMatchObject([{ level: expect.stringMatching(/warn|error/) }]);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('args of 100 000 nested lists are answered, one way or the other', async () => {
    const msgId = await peer.call('echo');
    await peer.next();
    const nested = '['.repeat(100_000) + ']'.repeat(100_000);
    const inner = `{"method":"echo","args":{"deep":${nested}},"_msg_id":"${msgId}","_reply_q":"${peer.replyQueue}"}`;
    await peer.publish(envelope('2.0', inner));
    expect((await peer.next()).message).toMatchObject({
      _msg_id: msgId,
      failure: expect.stringContaining('ValueError'),
    });
    expect(await peer.ask('echo', { args: { a: 1 } })).toMatchObject({ result: { a: 1 } });
  });

  it('a body above the limit is rejected unread', async () => {
    const small = on().server(
      [{ methods: { echo: () => 1 } }],
      {},
      { topic: 'small', exchange: 'nova', server: 'h' },
      on().broker({ maxMessageBytes: 1000 }),
    );
    await small.start();
    await peer.cast('echo', { args: { text: 'x'.repeat(1000) } }, { routingKey: 'small' });
    await peer.call('echo', {}, { routingKey: 'small' });
    expect((await peer.next()).message).toMatchObject({ result: 1 });
    expect(small.counters).toMatchObject({ rejected: 1, dispatched: 1 });
    expect(on().eventsOf('message-rejected')[0]!.message).toMatch(/more than 1000 \(maxMessageBytes\)/);
  });

  it('names that a peer chose neither fill a log nor forge its lines', async () => {
    const method = `x\nERROR forged ${'y'.repeat(100_000)}`;
    await peer.askForFailure(method);
    const { message, method: whole } = on().eventsOf('handler-failed')[0]!;
    expect(message).not.toContain('\n');
    expect(message.length).toBeLessThan(2000);
    expect(whole).toBe(method);
  });

  it('a bare body without the envelope is understood, as in Python', async () => {
    const msgId = await peer.call('echo');
    await peer.next();
    await peer.publish(JSON.stringify({ method: 'echo', args: { a: 1 }, _msg_id: msgId, _reply_q: peer.replyQueue }));
    expect((await peer.next()).message).toMatchObject({ _msg_id: msgId, result: { a: 1 } });
  });

  it('a call without a reply queue is a cast', async () => {
    await peer.call('echo', { _reply_q: undefined });
    expect(await peer.ask('echo')).toMatchObject({ result: {} });
    expect(peer.waiting).toEqual([]);
    expect(server.counters.dispatched).toBe(2);
  });
});
