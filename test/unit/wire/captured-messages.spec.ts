import { describe, expect, it } from 'vitest';

import { openEnvelope, type OpenOptions } from '../../../lib/wire/envelope.js';
import { decodeFailure, encodeFailure } from '../../../lib/wire/rpc/remote-failure.js';
import { decodeReply, encodeReply } from '../../../lib/wire/rpc/rpc-reply.js';
import { decodeRequest, encodeRequest } from '../../../lib/wire/rpc/rpc-request.js';
import { capturesOf, type Capture } from '../../golden/read-golden.js';

const OPEN: OpenOptions = { maxBytes: 1_000_000, integers: 'exact', contentType: 'application/json' };
const bytes = (text: string) => new TextEncoder().encode(text);
const open = (body: string) => openEnvelope(bytes(body), OPEN);

/** The JSON text that is in an envelope, so that the order of keys is compared too. */
function enclosedText(body: string): string {
  const envelope = JSON.parse(body) as Record<string, string>;
  expect(Object.keys(envelope)).toEqual(['oslo.version', 'oslo.message']);
  expect(envelope['oslo.version']).toBe('2.0');
  return envelope['oslo.message']!;
}

function contextIn(message: Record<string, unknown>): Record<string, unknown> {
  const items = Object.entries(message).filter(([key]) => key.startsWith('_context_'));
  return Object.fromEntries(items.map(([key, value]) => [key.slice('_context_'.length), value]));
}

const requests = capturesOf('rpc_');
const replies = capturesOf('reply_');

it('has captures of both versions', () => {
  expect(requests).toHaveLength(16);
  expect(replies).toHaveLength(14);
});

describe.each(requests)('captured request %s', (_, capture: Capture) => {
  const message = capture.oslo_message_decoded;

  it('is understood', () => {
    expect(open(capture.body_raw)).toEqual(message);
    const request = decodeRequest(open(capture.body_raw));
    expect(request).toEqual({
      method: message.method,
      args: message.args,
      namespace: message.namespace ?? null,
      version: message.version ?? '1.0',
      uniqueId: message._unique_id,
      context: contextIn(message),
      ...('_msg_id' in message && { msgId: message._msg_id, replyQueue: message._reply_q }),
      ...(typeof message._timeout === 'number' && { callMonitorTimeout: message._timeout }),
    });
  });

  it('is what we write for the same request, key for key', () => {
    const { namespace, version, msgId, replyQueue, ...rest } = decodeRequest(open(capture.body_raw));
    const body = encodeRequest({
      ...rest,
      uniqueId: rest.uniqueId!,
      ...(msgId !== undefined && { msgId, replyQueue }),
      namespace,
      version: 'version' in message ? version : null,
    });
    expect(enclosedText(body)).toBe(JSON.stringify(message));
  });
});

describe.each(replies)('captured reply %s', (_, capture: Capture) => {
  const message = capture.oslo_message_decoded;

  it('is understood', () => {
    expect(decodeReply(open(capture.body_raw))).toEqual({
      msgId: message._msg_id,
      result: message.result,
      failure: message.failure,
      ending: message.ending,
      uniqueId: message._unique_id,
    });
  });

  it('is what we write for the same reply, key for key', () => {
    expect(enclosedText(encodeReply(decodeReply(open(capture.body_raw))))).toBe(JSON.stringify(message));
  });
});

describe.each(capturesOf('reply_failure'))('captured failure in %s', (_, capture: Capture) => {
  const failure = capture.failure_decoded!;
  const text = capture.oslo_message_decoded.failure as string;

  it('is understood', () => {
    expect(decodeFailure(text, 'exact')).toEqual({
      excType: failure.class,
      module: failure.module,
      message: failure.message,
      traceback: failure.tb,
      args: failure.args,
      kwargs: failure.kwargs,
    });
  });

  it('is what we write for the same failure, key for key', () => {
    expect(encodeFailure(decodeFailure(text, 'exact'))).toBe(JSON.stringify(failure));
  });
});

describe.each(capturesOf('notification_'))('captured notification %s', (_, capture: Capture) => {
  it('is opened, with the envelope (v2) and without (v1)', () => {
    expect(open(capture.body_raw)).toEqual(capture.oslo_message_decoded ?? capture.body_json);
  });
});
