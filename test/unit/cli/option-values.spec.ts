import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, UsageError } from '../../../lib/cli/exit-codes.js';
import {
  bytes,
  duration,
  jsonObject,
  keyValues,
  kinds,
  namespaceAndMethod,
  ratePerSecond,
  topicAndServer,
} from '../../../lib/cli/option-values.js';
import { specFolder } from '../../support/spec-folder.js';

describe('values of options', () => {
  const folder = specFolder();

  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1.5', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('%s is a duration', (text, ms) => expect(duration(text)).toBe(ms));

  it.each(['', '0', '-1', '5 s', '1e3', '25h', 'soon', '5d'])("'%s' is none", (text) => {
    expect(() => duration(text)).toThrow(UsageError);
  });

  it('rates, bytes and kinds', () => {
    expect([ratePerSecond('500'), ratePerSecond('500/s')]).toEqual([500, 500]);
    expect([bytes('7'), bytes('512KiB'), bytes('64MiB'), bytes('1GiB')]).toEqual([7, 524_288, 67_108_864, 2 ** 30]);
    expect([...kinds('call,notification')]).toEqual(['call', 'notification']);
    for (const text of ['0', '5/m', '']) expect(() => ratePerSecond(text)).toThrow(UsageError);
    for (const text of ['0', '64MB', '1.5MiB', '-1', '99999999GiB']) expect(() => bytes(text)).toThrow(UsageError);
    for (const text of ['', 'call,', 'reply']) expect(() => kinds(text)).toThrow(UsageError);
  });

  it('key=text stays a text, key:=JSON is JSON', () => {
    expect(keyValues(['id=0012', 'n:=12', 'big:=12345678901234567890', 'list:=[1]', 'e=', 'eq=a=b', 'x=:=1'])).toEqual({
      id: '0012',
      n: 12,
      big: 12345678901234567890n,
      list: [1],
      e: '',
      eq: 'a=b',
      x: ':=1',
    });
  });

  it('key=@file is what the file holds; one that is not there ends with 74', () => {
    const file = join(folder, 'value');
    writeFileSync(file, 'held');
    expect(keyValues([`text=@${file}`])).toEqual({ text: 'held' });
    let error: unknown;
    try {
      keyValues([`text=@${file}.none`]);
    } catch (thrown) {
      error = thrown;
    }
    expect(exitCodeOf(error)).toBe(74);
  });

  it.each(['novalue', '=x', 'a b=c', '__proto__=1', 'n:=nonsense'])("'%s' is no argument", (text) => {
    expect(() => keyValues([text])).toThrow(UsageError);
  });

  it('an object is wanted where arguments are', () => {
    expect(() => jsonObject('[1]', '--args')).toThrow('--args must be a JSON object');
  });

  it('takes targets and methods apart', () => {
    expect(topicAndServer('compute.host.domain')).toEqual({ topic: 'compute', server: 'host.domain' });
    const ironic = 'ironic.conductor_manager';
    expect(topicAndServer(ironic)).toEqual({ topic: ironic });
    expect(topicAndServer(`${ironic}.ctl1.lan`)).toEqual({ topic: ironic, server: 'ctl1.lan' });
    expect(topicAndServer('neutron-vo-Port-1.1.ctl1')).toEqual({ topic: 'neutron-vo-Port-1.1', server: 'ctl1' });
    expect(topicAndServer(`${ironic}s`)).toEqual({ topic: 'ironic', server: 'conductor_managers' });
    expect(topicAndServer('a.b', 'c')).toEqual({ topic: 'a.b', server: 'c' });
    expect(namespaceAndMethod('a.b.ping')).toEqual({ namespace: 'a.b', method: 'ping' });
    for (const text of ['', '.x', 'x.', `${ironic}.`]) expect(() => topicAndServer(text)).toThrow(UsageError);
  });
});
