import fc from 'fast-check';
import { capturesOf } from '../golden/read-golden.js';

/** In the messages that are mutated; errors must not show it. */
export const TOKEN = 'gAAAAABnever-to-be-shown';

type Json = Record<string, unknown>;

/** A real message, taken apart. */
export interface Specimen {
  readonly name: string;
  /** Undefined: sent without envelope. */
  readonly version?: string;
  readonly message: Json;
}

/** Every captured message, with a token in its context. */
export const SPECIMENS: readonly Specimen[] = ['rpc_', 'reply_', 'notification_'].flatMap((prefix) =>
  capturesOf(prefix).map(([name, { body_json: body, oslo_message_decoded: inner }]) => {
    const message = { _context_auth_token: TOKEN, ...(inner ?? body) };
    return inner ? { name, version: '2.0', message } : { name, message };
  }),
);

/** JSON texts that no honest peer puts where it likes. */
const ODD_VALUES = [
  'null',
  'true',
  '-0',
  '1e999',
  '1.5',
  '123456789012345678901234567890',
  'NaN',
  '-Infinity',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"a\\r\\nb\\u202e"',
  '[]',
  '{}',
  '[[[]]]',
  '{"__proto__": {"polluted": true}}',
  '{"constructor": {"prototype": {"polluted": true}}}',
  '{"toString": 1, "valueOf": null, "toJSON": "x", "length": -1, "then": {}}',
  '{"x.name": 1, "nova_object.name": "A", "nova_object.namespace": "n", "nova_object.version": "1.0", "nova_object.data": []}',
  `"${'x'.repeat(5000)}"`,
  '['.repeat(3000) + ']'.repeat(3000),
  '{"a":'.repeat(3000) + '1' + '}'.repeat(3000),
];

const ODD_KEYS = ['__proto__', 'constructor', '_context___proto__', '_context_constructor', 'toString', '', 'then'];

/** The JSON text of a message, one member replaced, removed, doubled, or of an odd name. */
const mangledMessage = (message: Json): fc.Arbitrary<string> =>
  fc
    .record({
      key: fc.constantFrom(...Object.keys(message)),
      value: fc.oneof(fc.constantFrom(...ODD_VALUES), fc.json({ maxDepth: 3 })),
      how: fc.constantFrom('replace', 'remove', 'double', 'rename', 'add', 'inside'),
      name: fc.constantFrom(...ODD_KEYS),
    })
    .map(({ key, value, how, name }) => {
      const members = Object.entries(message).flatMap(([each, item]): string[] => {
        const own = `${JSON.stringify(each)}: ${JSON.stringify(item)}`;
        if (each !== key) return [own];
        if (how === 'replace') return [`${JSON.stringify(each)}: ${value}`];
        if (how === 'remove') return [];
        if (how === 'double') return [own, `${JSON.stringify(each)}: ${value}`];
        if (how === 'rename') return [`${JSON.stringify(name)}: ${JSON.stringify(item)}`];
        if (how === 'add') return [own, `${JSON.stringify(name)}: ${value}`];
        return [`${JSON.stringify(each)}: {${JSON.stringify(name)}: ${value}}`];
      });
      return `{${members.join(', ')}}`;
    });

const damage = fc.record({
  how: fc.constantFrom('flip', 'cut', 'delete', 'double', 'insert', 'overwrite'),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  length: fc.nat(40),
  bit: fc.nat(7),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(...ODD_VALUES).map((text) => Buffer.from(text)),
  ),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(body: Buffer, { how, at, length, bit, bytes }: Damage): Buffer {
  if (body.length === 0) return Buffer.from(bytes);
  const start = Math.floor(at * body.length);
  const [before, slice] = [body.subarray(0, start), body.subarray(start, start + length)];
  if (how === 'cut') return before;
  if (how === 'delete') return Buffer.concat([before, body.subarray(start + length)]);
  if (how === 'double') return Buffer.concat([before, slice, body.subarray(start)]);
  if (how === 'insert') return Buffer.concat([before, bytes, body.subarray(start)]);
  if (how === 'overwrite') return Buffer.concat([before, bytes, body.subarray(start + bytes.length)]);
  const copy = Buffer.from(body);
  copy.writeUInt8((copy[start] ?? 0) ^ (1 << bit), start);
  return copy;
}

const sealed = (version: unknown, text: string): string =>
  JSON.stringify({ 'oslo.version': version, 'oslo.message': text });

const mangledEnvelope = (text: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom('2.1', '3.0', '', null, 2, {}, '2.0'.repeat(100)).map((version) => sealed(version, text)),
    fc.constantFrom(...ODD_VALUES).map((value) => `{"oslo.version": "2.0", "oslo.message": ${value}}`),
    fc
      .constantFrom(...ODD_VALUES)
      .map((value) => `{"oslo.version": ${value}, "oslo.message": ${JSON.stringify(text)}}`),
    fc.constant(`${sealed('2.0', text).slice(0, -1)}, "oslo.message": "{}", "__proto__": {"polluted": true}}`),
    fc.constantFrom(...ODD_VALUES),
  );

/** What such a message becomes in bad company: wrong in its parts, its envelope or its bytes. */
export function mutantsOf({ version, message }: Specimen): fc.Arbitrary<Buffer> {
  const text = JSON.stringify(message);
  const whole = (inner: string): Buffer => Buffer.from(version === undefined ? inner : sealed(version, inner));
  const damages = fc.array(damage, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 4, arbitrary: mangledMessage(message).map(whole) },
    { weight: 4, arbitrary: damages.map((list) => list.reduce(damaged, whole(text))) },
    { weight: 1, arbitrary: mangledEnvelope(text).map((body) => Buffer.from(body)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );
}

/** Mutants of every specimen whose name begins so. */
export function mutants(prefix = ''): fc.Arbitrary<Buffer> {
  const specimens = SPECIMENS.filter(({ name }) => name.startsWith(prefix));
  const ids = fc.uuid({ version: 4 });
  return fc.tuple(fc.constantFrom(...specimens), ids).chain(([specimen, id]) => {
    // As in life, no two have the same: a server would drop all but the first.
    const own = Object.keys(specimen.message).filter((key) => key === '_unique_id' || key === 'message_id');
    return mutantsOf({
      ...specimen,
      message: { ...specimen.message, ...Object.fromEntries(own.map((key) => [key, id])) },
    });
  });
}
