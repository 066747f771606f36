import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Context, ContextStore, urlOfContext } from '../../../lib/cli/bus/contexts.js';
import { chooseTransport } from '../../../lib/cli/bus/transport-choice.js';
import { oslo } from '../../support/command-line.js';
import { specFolder } from '../../support/spec-folder.js';

const url = 'rabbit://nova:geheim@ctl1:5672/';

describe('contexts', () => {
  const folder = specFolder();
  let home: string;
  let store: ContextStore;
  const run = (commandLine: string | readonly string[], options: Parameters<typeof oslo>[1] = {}) =>
    oslo(commandLine, { ...options, env: { XDG_CONFIG_HOME: home } });

  beforeEach(() => {
    home = mkdtempSync(join(folder, 'home-'));
    store = new ContextStore({ XDG_CONFIG_HOME: home });
  });

  it('what is saved is read again, by its owner alone, and nothing else stays behind', () => {
    const context: Context = { transportUrl: url, exchange: 'nova', topics: ['conductor'], readOnly: true };
    expect(store.write('ctl1', context)).toBe('saved');
    expect(store.write('ctl1', { ...context, managementUrl: 'http://ctl1:15672' })).toBe('replaced');
    expect(store.read('ctl1')).toEqual({ ...context, managementUrl: 'http://ctl1:15672' });
    const file = store.fileOf('ctl1');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(file))).toEqual(['ctl1.json']);
  });

  it('a file that others could read is replaced by one that they cannot', () => {
    store.write('ctl1', { transportUrl: url });
    chmodSync(store.fileOf('ctl1'), 0o644);
    expect(() => store.read('ctl1')).toThrow('chmod 600');
    store.write('ctl1', { transportUrl: url });
    expect(store.read('ctl1')).toEqual({ transportUrl: url });
  });

  it('a link in the place of a context is replaced, and not what it leads to', () => {
    const elsewhere = join(home, 'elsewhere');
    writeFileSync(elsewhere, 'theirs');
    store.write('ctl1', { transportUrl: url });
    symlinkSync(elsewhere, store.fileOf('ctl2'));
    store.write('ctl2', { transportUrl: url });
    expect(readFileSync(elsewhere, 'utf8')).toBe('theirs');
  });

  it.each(['', '.', '..', '../x', 'a/b', '-x', '.hidden', 'a b', 'ä', 'a\n', 'x'.repeat(65)])(
    "'%s' is no name",
    (name) => {
      expect(() => store.write(name, { transportUrl: url })).toThrow('no name of a context');
      expect(() => store.read(name)).toThrow('no name of a context');
      expect(() => store.remove(name)).toThrow('no name of a context');
    },
  );

  it.each([
    ['nothing', '', 'not JSON'],
    ['a list', '[]', 'no JSON object'],
    ['a misspelt key', `{"transportUrl":"${url}","readonly":true}`, "'readonly'; known are transportUrl"],
    ['a key of every object', `{"transportUrl":"${url}","constructor":1}`, "'constructor'"],
    ['a number for a URL', '{"transportUrl":1}', "'transportUrl' of"],
    ['a text for a switch', `{"transportUrl":"${url}","readOnly":"no"}`, "'readOnly' of"],
    ['an address that is no URL', `{"transportUrl":"${url}","managementUrl":"ctl1:15672"}`, 'http://host:15672'],
    ['a text for topics', `{"transportUrl":"${url}","topics":"a"}`, 'a list of names'],
    ['no bus', '{"exchange":"nova"}', 'does not say which bus'],
    ['two buses', `{"transportUrl":"${url}","configFile":"/etc/nova/nova.conf"}`, 'says twice'],
    ['too much', `{"transportUrl":"${url}","exchange":"${'x'.repeat(70_000)}"}`, 'no file of up to'],
  ])('%s is refused, and says why', (_what, text, why) => {
    store.write('ctl1', { transportUrl: url });
    writeFileSync(store.fileOf('ctl1'), text);
    expect(() => store.read('ctl1')).toThrow(why);
  });

  it('what is no URL of a bus is not saved', async () => {
    expect(await run('context save x --transport-url nonsense')).toMatchObject({ code: 78 });
    expect(await run('context save x --config-file /nowhere/nova.conf')).toMatchObject({ code: 78 });
    expect(await run('context save x')).toMatchObject({ code: 64 });
    expect(store.names()).toEqual([]);
  });

  it('a directory that is none ends with 74', async () => {
    writeFileSync(join(home, 'oslo-bus'), '');
    expect(await run(`context save x --transport-url ${url}`)).toMatchObject({ code: 74 });
  });

  it('the password may come from a command, for each user who has none', () => {
    const from = (context: Context): string | undefined => urlOfContext(context, 'ctl1.json');
    const passwordCommand = "echo 'p@ss/w'";
    expect(from({ transportUrl: 'rabbit://nova@a,nova@b/v', passwordCommand })).toBe(
      'rabbit://nova:p%40ss%2Fw@a:5672,nova:p%40ss%2Fw@b:5672/v',
    );
    expect(from({ passwordCommand: `echo ${url}` })).toBe(url);
    expect(() => from({ transportUrl: url, passwordCommand })).toThrow('a user without a password');
    expect(() => from({ passwordCommand: 'true' })).toThrow('printed nothing');
    expect(() => from({ passwordCommand: 'echo geheim; exit 3' })).toThrow(
      /^The passwordCommand of ctl1.json has failed$/,
    );
  });

  it('what a context knows of its bus is part of the choice', () => {
    const known = { exchange: 'nova', managementUrl: 'http://ctl1:15672', topics: ['conductor'], readOnly: true };
    store.write('ctl1', { transportUrl: url, ...known });
    expect(chooseTransport({ context: 'ctl1' }, { XDG_CONFIG_HOME: home })).toMatchObject(known);
  });

  it('the selected one counts where nothing else is said, until it is removed', async () => {
    await run(`context save ctl1 --transport-url ${url} --select`);
    await run('context save ctl2 --transport-url rabbit://ctl2/');
    const hostname = (env: object): string =>
      new URL(chooseTransport({}, { XDG_CONFIG_HOME: home, ...env }).url).hostname;
    expect(hostname({})).toBe('ctl1');
    expect(hostname({ OSLO_BUS_CONTEXT: 'ctl2' })).toBe('ctl2');
    expect(hostname({ OSLO_TRANSPORT_URL: 'rabbit://env/' })).toBe('env');
    expect(await run('context select ctl2')).toMatchObject({ code: 0 });
    expect(hostname({})).toBe('ctl2');
    expect(await run('context select none-such')).toMatchObject({ code: 78 });
    expect(await run('context rm ctl2')).toMatchObject({ code: 0 });
    expect(hostname({})).toBe('127.0.0.1');
    expect(await run('context rm ctl2')).toMatchObject({ code: 78 });
    expect(await run('context select')).toMatchObject({ code: 64 });
    await run('context select ctl1');
    expect(await run('context select --none')).toMatchObject({ code: 0, out: 'none is selected\n' });
    expect(hostname({})).toBe('127.0.0.1');
  });

  it('a relative XDG_CONFIG_HOME is ignored', () => {
    expect(new ContextStore({ XDG_CONFIG_HOME: 'relative', HOME: '/home/u' }).fileOf('x')).toBe(
      '/home/u/.config/oslo-bus/contexts/x.json',
    );
  });

  it('ls tells of each, of those that are not usable why', async () => {
    await run(`context save ctl1 --transport-url ${url} --exchange nova --read-only --select`);
    store.write('asking', { passwordCommand: `touch ${join(home, 'has-run')}` });
    mkdirSync(join(home, 'oslo-bus/contexts'), { recursive: true });
    writeFileSync(store.fileOf('open'), '{}', { mode: 0o644 });
    writeFileSync(join(home, 'oslo-bus/contexts/notes.txt'), '');
    const told = await run('context ls');
    expect(told.out.split('\n')).toEqual([
      expect.stringMatching(/^- {2}asking {2}as its passwordCommand says +-$/),
      expect.stringMatching(/^\* {2}ctl1 +rabbit:\/\/nova:\*\*\*@ctl1:5672\/ +nova {2}read-only$/),
      expect.stringMatching(/^- {2}open +not usable: .*chmod 600/),
      '',
    ]);
    expect(existsSync(join(home, 'has-run'))).toBe(false);
    const { documents } = await run('context ls --json');
    expect(documents).toMatchObject([
      {
        v: 1,
        command: 'context ls',
        contexts: [
          { name: 'asking', selected: false },
          { name: 'ctl1', selected: true, exchange: 'nova', readOnly: true },
          { name: 'open', fault: expect.stringContaining('chmod 600') },
        ],
      },
    ]);
  });

  it.each(['', ' --json'])('no secret is shown%s', async (json) => {
    const saved = await run(`context save ctl1 --transport-url ${url}${json}`);
    store.write('asking', { passwordCommand: 'echo hunter2' });
    const all = await Promise.all(['show ctl1', 'show asking', 'ls'].map((what) => run(`context ${what}${json}`)));
    const text = [saved, ...all].map(({ code, out, err }) => `${code} ${out}${err}`).join('\n');
    expect(text).not.toMatch(/geheim|hunter2/);
    expect(text).toContain('rabbit://nova:***@ctl1:5672/');
    const { out } = await run('context show ctl1 --show-secrets', { isTerminal: true });
    expect(JSON.parse(out)).toEqual({ transportUrl: url });
  });
});
