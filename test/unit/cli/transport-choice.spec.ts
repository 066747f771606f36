import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { chooseTransport } from '../../../lib/cli/bus/transport-choice.js';
import { specFolder } from '../../support/spec-folder.js';

const url = (name: string) => `rabbit://user:secret-${name}@${name}:5672/`;

describe('which bus', () => {
  const directory = specFolder();
  let env: Record<string, string>;
  const file = (name: string, text: string, mode = 0o600): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const context = (name: string, value: object, mode?: number) =>
    file(`oslo-bus/contexts/${name}.json`, JSON.stringify(value), mode);

  beforeAll(() => {
    mkdirSync(join(directory, 'oslo-bus/contexts'), { recursive: true });
    env = { XDG_CONFIG_HOME: directory, OSLO_TRANSPORT_URL: url('of-env'), OSLO_BUS_CONTEXT: 'named' };
    context('named', { transportUrl: url('of-named'), exchange: 'nova', readOnly: true });
    context('asked', { transportUrl: url('of-asked') });
    file('nova.conf', `[DEFAULT]\ntransport_url = ${url('of-file')}\n`);
  });

  it('the first that is given counts', () => {
    const all = { transportUrl: url('given'), configFile: [join(directory, 'nova.conf')], context: 'asked' };
    const { transportUrl: _, ...withoutUrl } = all;
    const hosts = [
      chooseTransport(all, env),
      chooseTransport(withoutUrl, env),
      chooseTransport({ context: 'asked' }, env),
      chooseTransport({}, env),
      chooseTransport({}, { ...env, OSLO_TRANSPORT_URL: '' }),
      chooseTransport({}, { XDG_CONFIG_HOME: '/nowhere' }),
    ].map((choice) => new URL(choice.url).hostname);
    expect(hosts).toEqual(['given', 'of-file', 'of-asked', 'of-env', 'of-named', '127.0.0.1']);
  });

  it('what is shown has no password', () => {
    expect(JSON.stringify(chooseTransport({}, env).shownUrl)).not.toContain('secret');
  });

  it('the exchange is said, or of the file or context, or known by the name of the file', () => {
    const configFile = [join(directory, 'nova.conf')];
    expect(chooseTransport({ configFile }, env)).toMatchObject({
      exchange: 'nova',
      notes: [expect.stringContaining('name')],
    });
    expect(chooseTransport({ configFile, exchange: 'other' }, env).exchange).toBe('other');
    expect(chooseTransport({ context: 'named' }, env)).toMatchObject({ exchange: 'nova', readOnly: true });
    expect(chooseTransport({}, env).exchange).toBe('openstack');
  });

  it('a context that others can read is refused, with what to do', () => {
    context('open', { transportUrl: url('open') }, 0o644);
    expect(() => chooseTransport({ context: 'open' }, env)).toThrow('chmod 600');
  });

  it.each(['none', '../../etc/passwd', ''])("there is no context '%s'", (name) => {
    expect(() => chooseTransport({ context: name }, env)).toThrow(/no context|no name/);
  });

  it('a command may tell the URL', () => {
    context('asking', { passwordCommand: `echo ${url('told')}` });
    expect(chooseTransport({ context: 'asking' }, env).url).toBe(url('told'));
    context('failing', { passwordCommand: 'exit 3' });
    expect(() => chooseTransport({ context: 'failing' }, env)).toThrow('passwordCommand');
  });
});
