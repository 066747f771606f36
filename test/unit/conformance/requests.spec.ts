import { describe, expect, it } from 'vitest';
import type { IncomingRequest } from '../../../lib/index.js';
import { wireFormats } from '../../support/wire-format.js';
import { useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();
const hexId = /^[0-9a-f]{32}$/;

/** The messages that wait in a queue, taken apart by hand. */
function waitingIn(queue: string): { envelope: Record<string, unknown>; message: unknown }[] {
  return on()
    .bus.messagesIn(queue)
    .map(({ content }) => {
      const envelope = JSON.parse(content.toString()) as Record<string, unknown>;
      return { envelope, message: JSON.parse(String(envelope['oslo.message'])) as unknown };
    });
}

// TestRequestWireFormat.
describe('a cast is an envelope 2.0 with the method, its arguments, an id, the context, and nothing else', () => {
  it.each(wireFormats)('%s', async (_name, { target, args, context, packed, topology, queue }) => {
    on().bus.declare(topology);
    await on().client({}, target).cast('foo', args, { context });
    const [{ envelope, message } = {}, ...others] = waitingIn(queue);
    expect(others).toEqual([]);
    expect(envelope).toEqual({ 'oslo.version': '2.0', 'oslo.message': expect.any(String) });
    expect(message).toEqual({ method: 'foo', args, ...packed, _unique_id: expect.stringMatching(hexId) });
  });

  it('ours: a Date keeps its zone and has milliseconds, where a datetime of Python has neither', async () => {
    const [, { target, topology, queue }] = wireFormats[0]!;
    on().bus.declare(topology);
    const time = new Date(Date.UTC(1920, 1, 3, 4, 5, 6, 7));
    await on()
      .client({}, target)
      .cast('foo', { a: { b: time } });
    expect(waitingIn(queue)[0]!.message).toMatchObject({ args: { a: { b: '1920-02-03T04:05:06.007Z' } } });
  });
});

// TestReplyWireFormat.
describe('a request is handed over without the keys of the wire; ours: the call monitor is beside the context', () => {
  it.each(wireFormats)('%s', async (_name, { args, context, packed, exchange, routingKey }) => {
    const seen: IncomingRequest[] = [];
    const foo = (_args: object, request: IncomingRequest): void => void seen.push(request);
    await on()
      .server([{ methods: { foo } }], {}, { topic: 'testtopic', server: 'testserver' })
      .start();
    const peer = on().peer();
    await peer.listenForReplies();
    await peer.call('foo', { args, ...packed }, { exchange, routingKey });
    await peer.next();
    const [request, ...others] = seen;
    expect(others).toEqual([]);
    expect(request!.args).toEqual(args);
    // In Python also `client_timeout: None`.
    expect(request!.requestContext).toEqual(context);
    expect(request!.clientTimeout).toBeUndefined();
  });
});
