import { beforeEach, describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  type PrepareOptions,
  type RpcCallContext,
  RpcVersionCapError,
} from '../../../lib/index.js';
import { isVersionCompatible } from '../../../lib/wire/rpc/api-version.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import type { RawPeer } from '../rpc/support/raw-peer.js';
import { TARGET, useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();

// VersionIsCompatibleTestCase.
describe('what is implemented serves what is requested', () => {
  it.each([
    ['the same version', '1.23', '1.23', true],
    ['a newer minor than requested', '1.24', '1.23', true],
    ['an older minor than requested', '1.22', '1.23', false],
    ['a newer major', '2.23', '1.23', false],
    ['an older major', '1.23', '2.23', false],
    ['no revision where one is requested', '1.23', '1.23.1', false],
    ['an older revision than requested', '1.23.1', '1.23.2', false],
    ['a newer revision than requested', '1.23.2', '1.23.1', true],
    ['a newer minor without a revision', '1.24', '1.23.1', true],
    ['revision 0 where none is requested', '1.23.0', '1.23', true],
  ])('%s: %s serves %s: %s', (_name, implemented, requested, compatible) => {
    expect(isVersionCompatible(requested, implemented)).toBe(compatible);
  });
});

interface Cap {
  cap: string | null;
  version: string | null;
  prepare?: PrepareOptions;
  allowed: boolean;
}

const caps: Scenario<Cap>[] = [
  ['no cap, no version', { cap: null, version: null, allowed: true }],
  ['a version below the cap', { cap: '1.1', version: '1.0', allowed: true }],
  ['a cap prepared', { cap: '2.0', version: '1.0', prepare: { versionCap: '1.1', version: '1.0' }, allowed: true }],
  ['a cap prepared away', { cap: '1.1', version: '1.0', prepare: { versionCap: null }, allowed: true }],
  ['a minor above the cap', { cap: '1.0', version: '1.1', allowed: false }],
  ['a major that is not the cap’s', { cap: '2.0', version: null, prepare: { version: '1.0' }, allowed: false }],
  ['a version without a cap', { cap: null, version: '1.0', allowed: true }],
  ['a cap without a version', { cap: '1.0', version: null, allowed: false }],
];

function clientOf({ cap, version, prepare }: Cap): RpcCallContext {
  const client = on().client({ versionCap: cap }, { ...TARGET, version });
  return prepare ? client.prepare(prepare) : client;
}

// TestVersionCap.
describe('a version cap lets a request out, or refuses it before anything is sent', () => {
  let peer: RawPeer;
  beforeEach(async () => {
    peer = on().peer();
    await peer.serve();
  });

  const kinds: Scenario<{ kind: 'call' | 'cast' }>[] = [
    ['a call', { kind: 'call' }],
    ['a cast', { kind: 'cast' }],
  ];

  it.each(multiplied(kinds, caps))('%s', async (_name, { kind, ...given }) => {
    const sending = clientOf(given)[kind]('foo');
    if (!given.allowed) {
      await expect(sending).rejects.toBeInstanceOf(RpcVersionCapError);
      // What is sent later is the first that came.
      await on().client().cast('bar');
      expect((await peer.next()).message).toMatchObject({ method: 'bar' });
      return;
    }
    const request = await peer.next();
    const version = given.prepare?.version ?? given.version;
    expect(request.message).toMatchObject({ method: 'foo', args: {} });
    expect(request.message['version']).toBe(version ?? undefined);
    if (kind === 'call') await peer.answer(request, { result: 7 });
    expect(await sending).toBe(kind === 'call' ? 7 : undefined);
  });
});

// TestCanSendVersion.
describe('a client can tell whether a version may be sent', () => {
  it.each(caps)('%s', (_name, given) => {
    expect(clientOf(given).canSendVersion()).toBe(given.allowed);
  });

  it.each<Scenario<Cap & { asked: string | null }>>([
    [
      'another one, of a client whose cap is prepared away',
      { cap: '1.1', version: '1.0', prepare: { versionCap: null }, asked: '1.1', allowed: true },
    ],
    [
      'none, of a client whose cap is prepared away',
      { cap: '1.1', version: '1.0', prepare: { versionCap: null }, asked: null, allowed: true },
    ],
    ['none, of a client with a cap', { cap: '1.0', version: '1.0', asked: null, allowed: false }],
  ])('%s', (_name, { asked, ...given }) => {
    expect(clientOf(given).canSendVersion(asked)).toBe(given.allowed);
    expect(clientOf(given).prepare({}).canSendVersion(asked)).toBe(given.allowed);
  });

  it.each(['5', '5.a', '5.5.a'])('what is no version is refused when a client is prepared: %s', (version) => {
    expect(() => on().client().prepare({ version })).toThrow(ConfigurationError);
  });
});
