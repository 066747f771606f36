import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MalformedMessage,
  plainVersioned,
  type RequestContext,
  UnsupportedEnvelope,
  unwrapVersioned,
} from '../../../lib/index.js';
import { RemoteExceptions } from '../../../lib/rpc/exceptions/remote-exceptions.js';
import { isVersionCompatible } from '../../../lib/wire/rpc/api-version.js';
import { openEnvelope } from '../../../lib/wire/envelope.js';
import { decodeNotification } from '../../../lib/wire/notification.js';
import { parseTimestamp } from '../../../lib/wire/notification-timestamp.js';
import { decodeFailure } from '../../../lib/wire/rpc/remote-failure.js';
import { decodeReply } from '../../../lib/wire/rpc/rpc-reply.js';
import { decodeRequest } from '../../../lib/wire/rpc/rpc-request.js';
import { mutants, SPECIMENS, TOKEN } from '../../support/mutations.js';

const RUNS = { numRuns: 300, endOnFailure: true };
const OPEN = { maxBytes: 1_000_000, integers: 'exact', contentType: 'application/json' } as const;
const PROTOTYPES = [Object, Array, Function, String, Number, Error, Promise].map(
  ({ prototype }) => prototype as object,
);
const namesOf = (): PropertyKey[][] => PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype));
const HONEST = namesOf();

type Message = Readonly<Record<string, unknown>>;

/** What a body is, or one of the two errors that are documented; everything else fails the test. */
function opened(body: Uint8Array): Message | undefined {
  try {
    return openEnvelope(body, OPEN);
  } catch (error) {
    return refused(error, body);
  }
}

function refused(error: unknown, body: Uint8Array): undefined {
  if (!(error instanceof MalformedMessage) && !(error instanceof UnsupportedEnvelope)) throw error;
  if (error.excerpt !== undefined)
    expect(error.excerpt.replaceAll(/\\u[0-9a-f]{4}/g, '?').length).toBeLessThanOrEqual(256);
  expect(error.message.length).toBeLessThan(300);

  expect(error.message).not.toMatch(/[\u0000-\u001f\u2028\u202e]/);
  // Where the damage has spared the token with its name, it is known for one.
  if (/"_context_auth_token\\?": ?\\?"gAAAAABnever-to-be-shown\\?"/.test(new TextDecoder().decode(body))) {
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain(TOKEN);
  }
  return undefined;
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function expectPlainContext(context: RequestContext): void {
  expect(isPlain(context)).toBe(true);
  expect(context['polluted']).toBeUndefined();
}

describe('of a mutated message', () => {
  it('every request is understood, or says what is wrong', () => {
    const property = fc.property(mutants('rpc_'), (body) => {
      const message = opened(body);
      if (!message) return;
      const request = decodeRequest(message);
      expectPlainContext(request.context);
      expect([typeof request.method, typeof request.version, typeof request.args]).toEqual([
        'string',
        'string',
        'object',
      ]);
      expect(Array.isArray(request.args)).toBe(false);
      if (request.problem) return refused(request.problem, body);
      expect(Object.hasOwn(request.args, '__proto__')).toBe(false);
      expect(isPlain({ ...request.args })).toBe(true);
      expect(typeof isVersionCompatible(request.version, '1.5')).toBe('boolean');
    });
    fc.assert(property, RUNS);
  });

  it('every reply is understood or refused, and every failure becomes an error', () => {
    class Registered extends Error {}
    const exceptions = new RemoteExceptions({ remoteExceptions: { 'builtins.ValueError': Registered } });
    const property = fc.property(mutants('reply_'), (body) => {
      const message = opened(body);
      if (!message) return;
      try {
        const { msgId, failure, ending } = decodeReply(message);
        expect([typeof msgId, typeof ending]).toEqual(['string', 'boolean']);
        if (failure !== null) expect(exceptions.revive(decodeFailure(failure, 'exact'), {})).toBeInstanceOf(Error);
      } catch (error) {
        refused(error, body);
      }
    });
    fc.assert(property, RUNS);
  });

  it('every notification is understood, or says what is wrong', () => {
    const property = fc.property(mutants('notification_'), (body) => {
      const message = opened(body);
      if (!message) return;
      const { context, payload, timestamp, problem } = decodeNotification(message);
      expectPlainContext(context);
      if (problem) return refused(problem, body);
      if (timestamp !== undefined) expect([undefined, true]).toContain(isDate(parseTimestamp(timestamp)));
      expect(JSON.stringify(plainVersioned(payload), bigText)).toBeTypeOf('string');
      expect(JSON.stringify(unwrapVersioned(payload), bigText)).toBe(JSON.stringify(payload, bigText));
    });
    fc.assert(property, RUNS);
  });

  it('nothing reaches a prototype', () => {
    fc.assert(
      fc.property(mutants(), (body) => {
        const message = opened(body);
        if (!message) return;
        decodeRequest(message);
        decodeNotification(message);
        plainVersioned(message);
        expect(namesOf()).toEqual(HONEST);
        expect(Object.getPrototypeOf(message)).toBe(Object.prototype);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });
});

it('a secret is masked wherever a message is cut', () => {
  for (const { version, message } of SPECIMENS.filter(({ name }) => /master/.test(name)).slice(-3)) {
    const text = JSON.stringify(message);
    const body = Buffer.from(version ? JSON.stringify({ 'oslo.version': version, 'oslo.message': text }) : text);
    const end = body.indexOf(TOKEN) + TOKEN.length + 50;
    for (let length = 1; length < end; length += 1) {
      expect(opened(body.subarray(0, length))).toBeUndefined();
      const shown = excerptAt(body.subarray(0, length));
      for (let part = 6; part <= TOKEN.length; part += 6) expect(shown).not.toContain(TOKEN.slice(0, part));
    }
  }
});

function excerptAt(body: Uint8Array): string | undefined {
  try {
    openEnvelope(body, OPEN);
  } catch (error) {
    return (error as MalformedMessage).excerpt;
  }
}

function isDate(value: unknown): boolean | undefined {
  return value === undefined ? undefined : value instanceof Date && !Number.isNaN(value.getTime());
}

function bigText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
