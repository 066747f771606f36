import { beforeAll, describe, expect, it } from 'vitest';
import { oslo } from '../../support/command-line.js';
import { useVhost } from '../../support/rabbit.js';
import { specFolder } from '../../support/spec-folder.js';

const vhost = useVhost();
const home = specFolder();
const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { XDG_CONFIG_HOME: home, ...options.env } });

describe('context', () => {
  const check = (name: string) => run(`context check ${name} --json`);
  beforeAll(async () => {
    await run(`context save ours --transport-url ${vhost.url} --exchange none`);
    await run('context save gone --transport-url rabbit://guest:guest@127.0.0.1:1/');
    await run(`context save refused --transport-url ${vhost.url.replace('guest:guest', 'guest:wrong')} --read-only`);
  });

  it('check connects, and tells which bus it is', async () => {
    const { code, documents } = await check('ours');
    const facts = {
      v: 1,
      command: 'context check',
      because: "context 'ours'",
      ms: expect.any(Number),
      readOnly: false,
    };
    const bus = vhost.url.replace('guest:guest', 'guest:***');
    expect({ code, documents }).toEqual({
      code: 0,
      documents: [{ ...facts, bus, exchange: 'none', exchangeIsThere: false }],
    });
    expect(await run('context check', { env: { OSLO_TRANSPORT_URL: vhost.url } })).toMatchObject({
      code: 0,
      out: expect.stringContaining("'openstack' is not there"),
    });
  });

  it.each([
    ['gone', 69],
    ['refused', 77],
    ['never-saved', 78],
  ])('check of %s ends with %i', async (name, code) => {
    expect(await check(name)).toMatchObject({ code, documents: [{ command: 'context check', error: { exit: code } }] });
  });

  it('a read-only context refuses what changes its bus', async () => {
    const { code, err } = await run('cast conductor ping --context refused');
    expect({ code, err }).toEqual({ code: 77, err: expect.stringContaining('it is read-only here') });
  });
});
