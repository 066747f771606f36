import { describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  MessageDeliveryFailure,
  MessageUndeliverable,
  MessagingTimeout,
  RemoteError,
} from '../../../lib/index.js';
import { exitCodeOf, UnreadableFile, UsageError } from '../../../lib/cli/exit-codes.js';
import { columns, Output, shownMs, type Terminal, tonedColumns } from '../../../lib/cli/output.js';
import type { ColorChoice } from '../../../lib/cli/tone.js';
import { oslo } from '../../support/command-line.js';

const hostile = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eevil\r\nFAKE line';

function outputs(json: boolean, secrets?: 'masked' | 'shown') {
  const written = { out: '', err: '' };
  const output = new Output(
    {
      out: (text) => (written.out += text),
      err: (text) => (written.err += text),
      isTerminal: true,
      env: {},
      interrupted: new AbortController().signal,
    },
    'call',
    json,
    secrets,
  );
  return { output, written };
}

describe('output', () => {
  it.each([true, false])('escape sequences of messages never reach the terminal (JSON: %s)', (json) => {
    const { output, written } = outputs(json);
    output.result({ text: hostile, [hostile]: 1 }, [hostile]);
    output.note(hostile);
    output.failure(new Error(hostile), 70);
    expect(written.out + written.err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
    if (json) expect(JSON.parse(written.out.split('\n')[0]!)).toMatchObject({ v: 1, command: 'call', text: hostile });
  });

  it('secrets are masked, unless they are asked for', () => {
    const value = { auth_token: 'sesame', url: 'rabbit://u:geheim@h/', token: 'gAAAAABlongenoughtobeatoken' };
    const masked = outputs(true);
    masked.output.result(value, []);
    expect(masked.written.out).not.toMatch(/sesame|geheim|longenough/);
    const shown = outputs(true, 'shown');
    shown.output.result(value, []);
    expect(shown.written.out).toContain('sesame');
  });

  it('integers beyond 2^53 are written exactly', () => {
    const { output, written } = outputs(true);
    output.result({ n: 12345678901234567890n }, []);
    expect(written.out).toContain('"n":12345678901234567890');
    expect(output.pretty({ n: 12345678901234567890n }).join('')).toContain('12345678901234567890');
  });

  it('columns are aligned', () => {
    expect(
      columns([
        ['a', 'bbb', ''],
        ['cc', 'd', 'e'],
      ]),
    ).toEqual(['a   bbb', 'cc  d    e']);
    expect([shownMs(4.12), shownMs(41.2), shownMs(3000)]).toEqual(['4.1 ms', '41 ms', '3.00 s']);
  });
});

describe('colours', () => {
  const line = { before: 'conductor  ', word: 'FAIL', tone: 'bad', after: ` ${hostile}` } as const;
  const shown = (color: ColorChoice | undefined, isTerminal: boolean, env: Record<string, string> = {}) => {
    const written = { out: '', err: '' };
    const terminal: Terminal = {
      out: (text) => (written.out += text),
      err: (text) => (written.err += text),
      isTerminal,
      rewrites: isTerminal,
      env,
      interrupted: new AbortController().signal,
    };
    const output = new Output(terminal, 'why', false, 'masked', color);
    output.result({}, [line]);
    output.note(line);
    return written;
  };
  const red = '\u001b[31m';

  it.each([
    ['on a terminal', undefined, true, {}, true],
    ['not on a pipe', undefined, false, {}, false],
    ['not with NO_COLOR', 'auto', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR', 'auto', true, { NO_COLOR: '' }, true],
    ['not on a terminal that cannot', 'auto', true, { TERM: 'dumb' }, false],
    ['on a pipe where they are asked for', 'always', false, { NO_COLOR: '1' }, true],
    ['never where they are not wanted', 'never', true, {}, false],
  ] as const)('are shown %s', (_where, color, isTerminal, env, expected) => {
    const { out, err } = shown(color, isTerminal, env);
    expect([out, err].map((text) => text.includes(red))).toEqual([expected, expected]);
    expect(out).toBe(err);
  });

  it('belong to our own words alone: a peer can neither make nor end one', () => {
    const { out } = shown('always', false);
    expect(out.replace(/\u001b\[(?:31|1|22|39)m/g, '')).toBe(shown('never', false).out);
    expect(out.slice(out.lastIndexOf('\u001b'))).not.toContain('owned\u0007');
    expect(shown('never', false).out).not.toContain('\u001b');
  });

  it('leave JSON alone', async () => {
    const { out } = await oslo('context ls --json --color always', { isTerminal: true });
    expect(out).toBe('{"v":1,"command":"context ls","contexts":[]}\n');
  });

  it('are a choice of each command', async () => {
    expect(await oslo('help --color sometimes')).toMatchObject({ code: 64, err: expect.stringContaining('always') });
    const { err } = await oslo('context rm none --color always');
    expect(err).toMatch(/^\u001b\[31m.*oslo-bus:/);
  });
});

describe('output that is written over', () => {
  const terminal = (size?: { columns: number; rows: number }, color: ColorChoice = 'auto') => {
    const written = { out: '', err: '' };
    const output = new Output(
      {
        out: (text) => (written.out += text),
        err: (text) => (written.err += text),
        isTerminal: size !== undefined,
        size,
        rewrites: size !== undefined,
        env: {},
        interrupted: new AbortController().signal,
      },
      'top',
      false,
      'masked',
      color,
    );
    return { output, written };
  };

  it('takes the place of the one before, and never leaves the screen', () => {
    const { output, written } = terminal({ columns: 5, rows: 3 });
    output.screen({}, ['a', 'long line']);
    output.screen({}, ['b', 'c', 'd', 'e']);
    expect(written.out).toBe('\u001b[Ja\nlong\n\u001b[2A\u001b[Jb\nc\n');
  });

  it('its toned words are coloured, and colours take no room', () => {
    const { output, written } = terminal({ columns: 9, rows: 5 }, 'always');
    const line = (before: string) => ({ before, word: 'FAIL', tone: 'bad', after: ' ValueError' }) as const;
    output.screen({}, [line('a '), line('123456 ')]);
    const [red, plain] = ['\u001b[31m\u001b[1m', '\u001b[22m\u001b[39m'];
    expect(written.out).toBe(`\u001b[Ja ${red}FAIL${plain} V\n123456 ${red}F${plain}\n`);
  });

  it('of a row with toned cells the first is, at its place', () => {
    const bad = { word: '3', tone: 'bad', after: ' of 9' } as const;
    expect(
      tonedColumns([
        ['topic', 'errors', 'n'],
        ['a', bad, { ...bad, tone: 'good' }],
      ]),
    ).toEqual(['topic  errors  n', { before: 'a      ', word: '3', tone: 'bad', after: ' of 9  3 of 9' }]);
  });

  it('a line of progress goes before the next note, and text of a peer cannot move the cursor', () => {
    const { output, written } = terminal({ columns: 40, rows: 3 });
    output.progress('\u001b[2J');
    output.note('done');
    output.note('twice');
    expect(written.err).toBe('\r\\u001b[2J\u001b[K\r\u001b[Kdone\ntwice\n');
  });

  it('on a pipe results come one after the other, and nobody needs progress', () => {
    const { output, written } = terminal();
    output.progress('1');
    output.screen({}, ['a']);
    output.screen({}, ['b']);
    expect(written).toEqual({ out: 'a\nb\n', err: '' });
  });
});

describe('exit codes', () => {
  const refusal = Object.assign(new Error('ACCESS_REFUSED'), { code: 403 });
  it.each([
    [new UsageError('x'), 64],
    [new UnreadableFile('x'), 74],
    [new ConfigurationError('x'), 78],
    [new MessageUndeliverable('e', 'k'), 68],
    [new MessagingTimeout('x'), 75],
    [new RemoteError({ excType: 'A', module: 'm', remoteMessage: '' }), 1],
    [new MessageDeliveryFailure('x'), 69],
    [new MessageDeliveryFailure('x', { cause: refusal }), 77],
    [Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open' }), 74],
    [new TypeError('x'), 70],
    ['thrown text', 70],
  ])('%s', (error, code) => expect(exitCodeOf(error)).toBe(code));
});
