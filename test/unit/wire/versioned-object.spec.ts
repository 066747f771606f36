import { describe, expect, it } from 'vitest';
import { MalformedMessage, plainVersioned, unwrapVersioned, VersionedObject } from '../../../lib/index.js';

import { parseJson, stringifyJson } from '../../../lib/wire/json/json.js';

/** Shaped as the sample that nova documents for `instance.create.end`, shortened. */
const payload = {
  'nova_object.name': 'InstanceCreatePayload',
  'nova_object.namespace': 'nova',
  'nova_object.version': '1.12',
  'nova_object.data': {
    uuid: '178b0921-8f85-4257-88b6-2e743b5a975c',
    fault: null,
    ip_addresses: [
      {
        'nova_object.name': 'IpPayload',
        'nova_object.namespace': 'nova',
        'nova_object.version': '1.0',
        'nova_object.data': { address: '192.168.1.3', version: 4 },
      },
    ],
    flavor: {
      'nova_object.name': 'FlavorPayload',
      'nova_object.namespace': 'nova',
      'nova_object.version': '1.4',
      'nova_object.data': { name: 'test_flavor', extra_specs: { 'hw:numa_nodes': '1' } },
    },
  },
};

describe('VersionedObject', () => {
  it('is the same when it is unwrapped already', () => {
    const sent = {
      host: {
        'nova_object.name': 'Host',
        'nova_object.namespace': 'nova',
        'nova_object.version': '1.0',
        'nova_object.data': { inner: null },
      },
    };
    const once = unwrapVersioned(sent);
    expect(unwrapVersioned(once)).toEqual(once);
    expect(JSON.stringify(unwrapVersioned(once))).toBe(JSON.stringify(sent));
    expect(VersionedObject.read(unwrapVersioned(sent.host)).name).toBe('Host');
  });

  it('keeps name, namespace and version, also of what is inside', () => {
    const read = VersionedObject.read<{ flavor: VersionedObject; ip_addresses: VersionedObject[] }>(payload);
    expect(read).toMatchObject({
      prefix: 'nova_object',
      name: 'InstanceCreatePayload',
      namespace: 'nova',
      version: '1.12',
    });
    expect(read.data.flavor).toBeInstanceOf(VersionedObject);
    expect(read.data.flavor).toMatchObject({ name: 'FlavorPayload', version: '1.4' });
    expect(read.data.ip_addresses[0]!.data).toEqual({ address: '192.168.1.3', version: 4 });
  });

  it('is written again as it came, keys in their order', () => {
    const text = JSON.stringify(payload);
    expect(stringifyJson(unwrapVersioned(JSON.parse(text)))).toBe(text);
  });

  it('keeps the changes', () => {
    const raw = {
      'ironic_object.name': 'NodePayload',
      'ironic_object.namespace': 'ironic',
      'ironic_object.version': '1.17',
      'ironic_object.data': { uuid: 'u' },
      'ironic_object.changes': ['uuid'],
    };
    expect(VersionedObject.read(raw).changes).toEqual(['uuid']);
    expect(JSON.stringify(unwrapVersioned(raw))).toBe(JSON.stringify(raw));
  });

  it.each([['nova_object'], ['ironic_object'], ['masakari_object'], ['versioned_object']])('knows %s', (prefix) => {
    const object = new VersionedObject({ prefix, name: 'A', namespace: 'n', version: '1.0' }, { x: 1 });
    expect(VersionedObject.read(JSON.parse(JSON.stringify(object)))).toEqual(object);
  });

  it('refuses what is none', () => {
    for (const other of [null, 'text', [payload], { a: 1 }, { 'nova_object.name': 'A' }]) {
      expect(() => VersionedObject.read(other)).toThrow(MalformedMessage);
    }
  });
});

describe('plainVersioned', () => {
  const plain = {
    uuid: '178b0921-8f85-4257-88b6-2e743b5a975c',
    fault: null,
    ip_addresses: [{ address: '192.168.1.3', version: 4 }],
    flavor: { name: 'test_flavor', extra_specs: { 'hw:numa_nodes': '1' } },
  };

  it('leaves the data, from the wire or unwrapped', () => {
    expect(plainVersioned(payload)).toEqual(plain);
    expect(plainVersioned(unwrapVersioned(payload))).toEqual(plain);
    expect(plainVersioned({ nested: [payload] })).toEqual({ nested: [plain] });
  });

  it('leaves everything else as it is', () => {
    for (const other of [null, 'text', 7, [], [1, [2]], { 'nova_object.name': 'A', x: 1 }]) {
      expect(plainVersioned(other)).toEqual(other);
      expect(unwrapVersioned(other)).toEqual(other);
    }
  });

  it('loses nothing of an object with keys that it does not know', () => {
    const odd = { ...payload, 'nova_object.future': 1 };
    expect(JSON.stringify(unwrapVersioned(odd))).toBe(JSON.stringify(odd));
  });
});

it('reads what is nested deeper than the stack', () => {
  const deep = `${'['.repeat(200_000)}${JSON.stringify(payload)}${']'.repeat(200_000)}`;
  let value = unwrapVersioned(parseJson(deep, 'exact'));
  while (Array.isArray(value)) value = value[0];
  expect(value).toBeInstanceOf(VersionedObject);
});

it('a key __proto__ stays a key', () => {
  const read = plainVersioned<object>(JSON.parse('{"a": {"__proto__": {"admin": true}}}'));
  const { a } = read as { a: object };
  expect(Object.getPrototypeOf(a)).toBe(Object.prototype);
  expect(Object.keys(a)).toEqual(['__proto__']);
});
