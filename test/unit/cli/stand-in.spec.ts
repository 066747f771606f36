import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AskedOf, StandIn, type StandInOptions } from '../../../lib/cli/stand-in.js';
import { specFolder } from '../../support/spec-folder.js';

const never = new AbortController().signal;

function asked(changes: Partial<AskedOf> = {}): AskedOf {
  const request = { method: 'ping', namespace: null, version: '1.0', args: { n: 1 }, requestContext: {} };
  return { ...request, isCall: true, isFanout: false, ...changes };
}

const answered = (options: StandInOptions, request?: Partial<AskedOf>) =>
  new StandIn(options).answer(asked(request), never);

const folder = specFolder();

function routes(value: unknown): StandInOptions {
  const file = join(mkdtempSync(join(folder, 'of-')), 'routes.json');
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return { routes: file };
}

afterEach(() => void vi.useRealTimers());

describe('a stand-in answers', () => {
  it('what it was told, or what it was asked', async () => {
    expect(await answered({ reply: '{"big": 12345678901234567890}' })).toEqual({ big: 12345678901234567890n });
    expect(await answered({ reply: 'null' })).toBeNull();
    expect(await answered({ echo: true })).toEqual({ n: 1 });
  });

  it.each([
    [
      'nova.exception.HostNotFound:no such: host',
      { module: 'nova.exception', excType: 'HostNotFound', args: ['no such: host'] },
    ],
    ['ValueError:x', { module: 'builtins', excType: 'ValueError', remoteMessage: 'x' }],
    ['a.B', { module: 'a', excType: 'B', remoteMessage: '', args: [] }],
  ])('with the failure %s', async (fail, expected) => {
    await expect(answered({ fail })).rejects.toMatchObject(expected);
  });

  it('by routes, in their order, with or without the namespace', async () => {
    const options = routes({
      'baseapi.ping': { reply: 'of baseapi' },
      'get_*': { echo: true },
      ping: { reply: 'of any' },
      '*': { fail: 'ValueError:no' },
    });
    expect(await answered(options, { namespace: 'baseapi' })).toBe('of baseapi');
    expect(await answered(options, { namespace: 'other' })).toBe('of any');
    expect(await answered(options, { method: 'get_all', namespace: 'x' })).toEqual({ n: 1 });
    await expect(answered(options, { method: 'boom' })).rejects.toMatchObject({ excType: 'ValueError' });
  });

  it('beside its routes as the options say', async () => {
    const options = { ...routes({ ping: { reply: 1 } }), echo: true, methods: 'p*' };
    expect(await answered(options)).toBe(1);
    expect(await answered(options, { method: 'pong' })).toEqual({ n: 1 });
    await expect(answered(options, { method: 'boom' })).rejects.toMatchObject({ name: 'NoSuchMethod' });
  });

  it('after a delay, that of the route before that of all; an end ends it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const leaving = new AbortController();
    const standIn = new StandIn({ reply: '1', delay: 50_000 });
    const answer = standIn.answer(asked(), leaving.signal);
    leaving.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a stand-in refuses', () => {
  it('methods that it was not told of, and whoever pings', async () => {
    await expect(answered({ echo: true, methods: 'get_*' })).rejects.toMatchObject({ name: 'NoSuchMethod' });
    const ping = answered({ echo: true }, { method: 'oslo_bus_probe_ignore_errors' });
    await expect(ping).rejects.toMatchObject({ name: 'NoSuchMethod' });
  });

  it('other versions and namespaces, as servers do', async () => {
    expect(await answered({ echo: true }, { version: '9.9', namespace: 'x' })).toEqual({ n: 1 });
    const options = { echo: true, version: '1.4', namespace: 'baseapi' };
    expect(await answered(options, { version: '1.3', namespace: 'baseapi' })).toEqual({ n: 1 });
    for (const other of [{ version: '1.5', namespace: 'baseapi' }, { version: '2.0', namespace: 'baseapi' }, {}]) {
      await expect(answered(options, other)).rejects.toMatchObject({ name: 'UnsupportedVersion' });
    }
  });

  it.each<[string, StandInOptions]>([
    ['no way to answer', {}],
    ['two ways', { echo: true, reply: '1' }],
    ['a reply that is not JSON', { reply: 'pong' }],
    ['a class that is none', { fail: 'not a class:x' }],
    ['a class without a name', { fail: '' }],
    ['routes that are not JSON', routes('nonsense')],
    ['a route that is no object', routes({ ping: 'pong' })],
    ['a route with two ways', routes({ ping: { reply: 1, echo: true } })],
    ['a route with a misspelt way', routes({ ping: { replay: 1 } })],
    ['a route with nothing', routes({ ping: {} })],
    ['a delay that is none', routes({ ping: { reply: 1, delay: 'soon' } })],
    ['an exec that is no text', routes({ ping: { exec: 1 } })],
    ['an echo that is not true', routes({ ping: { echo: false } })],
    ['no routes at all', routes({})],
  ])('%s', (_what, options) => {
    expect(() => new StandIn(options)).toThrow(expect.objectContaining({ name: 'UsageError' }));
  });
});
