import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { excerptOf, maskSecrets, maskUrl, printable } from '../../../lib/wire/redaction.js';

describe('the passwords of a URL', () => {
  it.each([
    ['rabbit://u:p@h:5672/v', 'rabbit://u:***@h:5672/v'],
    ['rabbit://u:p@h1:1,u2:p2@h2/v?a=b', 'rabbit://u:***@h1:1,u2:***@h2/v?a=b'],
    ['rabbit://u:p@h1,h2:5672,[::1]:5672/', 'rabbit://u:***@h1,h2:5672,[::1]:5672/'],
    ['rabbit://h1:5672,u:p@h2/', 'rabbit://h1:5672,u:***@h2/'],
    ['rabbit://u:p:q@r@h/', 'rabbit://u:***@h/'],
    ['rabbit://u:a/b@h/', 'rabbit://u:***@h/'],
    ['rabbit://:p@h/', 'rabbit://:***@h/'],
    ['rabbit://u@h/', 'rabbit://u@h/'],
    ['rabbit://h:5672/', 'rabbit://h:5672/'],
  ])('%s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
    expect(maskSecrets(`(cannot reach '${url}' now)`)).toBe(`(cannot reach '${masked}' now)`);
  });

  it('are masked where what looks like a scheme comes late', () => {
    expect(maskUrl('user:S3cr3t@h/?a=b://')).toBe('user:***@h/?a=b://');
  });

  it('are masked where a Keystone token has no name that tells', () => {
    const token = 'gAAAAABmQ0-_never-to-be-shown==';
    expect(maskSecrets(`{"en": "${token}", n=1, ${token}.`)).toBe('{"en": "***", n=1, ***.');
  });

  it('are masked where the URL has no scheme', () => {
    expect(maskUrl('u:p@h')).toBe('u:***@h');
    expect(maskUrl('nothing')).toBe('nothing');
  });

  it.each([['rabbit://u:S3,cr3t@h/', 'rabbit://u:***@h/']])('are masked with raw commas too: %s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });

  // oslo.messaging takes a comma for the end of a host before it looks for credentials.
  it('are masked whatever else they hold', () => {
    const password = fc.stringMatching(/^[!-+\--~]{4,20}$/).map((noise) => `S3${noise}cr3t`);
    fc.assert(
      fc.property(password, (secret) => {
        const masked = maskUrl(`rabbit://u:${secret}@h/v`);
        expect(masked.includes('S3') || masked.includes('cr3t')).toBe(false);
      }),
    );
  });
});

describe('a password with odd characters in a URL', () => {
  // As Python's json module writes it: everything beyond ASCII is an escape.
  const asPython = (value: unknown): string =>
    JSON.stringify(value).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

  it.each(
    ['pä S3cr3t', 'päS3cr3t', 'pa"S3cr3t', 'pa<S3cr3t>x', 'pa\\S3cr3t', "pa'S3cr3t", 'S3cr3t"x\\'].filter(
      (p) => !p.includes(' '),
    ),
  )('is masked in a text, in JSON and in JSON in JSON: %s', (password) => {
    const text = `cannot connect to rabbit://nova:${password}@host/ now`;
    for (const shown of [text, asPython({ text }), asPython({ inner: asPython({ text }) })]) {
      expect(maskSecrets(shown)).not.toContain('S3cr3t');
      expect(excerptOf(new TextEncoder().encode(shown))).not.toContain('S3cr3t');
    }
  });

  it.each([String.raw`{"u":"rabbit:\/\/nova:S3cr3t@host\/"}`, String.raw`{"u":"rabbit://nova:S3cr3t\u0040host/"}`])(
    'is masked where JSON escapes more than it must: %s',
    (text) => {
      expect(maskSecrets(text)).not.toContain('S3cr3t');
    },
  );
});

describe('secrets in JSON', () => {
  const secret = 'gAAAA "quoted" \\ token';
  const message = {
    after: 'kept',
    _context_auth_token: secret,
    adminPass: secret,
    user: 'kept',
    token: null,
    args: { password: secret },
  };

  it.each([1, 2, 3, 4])('are masked at level %d of encoding', (levels) => {
    let text = JSON.stringify(message);
    for (let level = 1; level < levels; level++) text = JSON.stringify({ inner: text, after: 'kept' });
    const masked = maskSecrets(text);
    expect(masked).not.toMatch(/gAAAA|quoted|\btoken\b[^":\\]/);
    expect(masked.match(/\*\*\*/g)).toHaveLength(3);
    expect(masked.match(/kept/g)).toHaveLength(levels + 1);
  });

  it.each([
    ['{"password":12345,"a":1}', '{"password":***,"a":1}'],
    ['{"password":null,"a":true}', '{"password":null,"a":true}'],
    ['{"auth_token":{"id":"x"},"a":1}', '{"auth_token":***'],
    ['{"auth_token": "cut', '{"auth_token": ***'],
    ["{'password': 'x', 'a': 1}", "{'password': ***, 'a': 1}"],
    ["{'password': u'x', 'token': b'x'}", "{'password': ***, 'token': ***}"],
    ['password=x&a=1', 'password=***&a=1'],
    ['password="x y" a=1', 'password=*** a=1'],
    ["password = 'x y', a", 'password = ***, a'],
    ['{"compass":"north"}', '{"compass":"north"}'],
  ])('%s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
  });

  it('are masked where damage lets a value end at the quote of the next key', () => {
    const text = '{\\"auth_token\\":\\":{\\"auth_token\\":\\"S3cr3t\\"}';
    expect(maskSecrets(text)).not.toContain('S3cr3t');
  });

  it('costs no more than the length of a text', () => {
    const hostile = [
      `"password":"${'\\'.repeat(200_000)}`,
      '\\'.repeat(200_000),
      '"token'.repeat(50_000),
      'a'.repeat(200_000),
      `x://${'\\'.repeat(200_000)}`,
      `x://${'\\"'.repeat(100_000)}`,
      'x://"a'.repeat(40_000),
    ];
    for (const text of hostile) expect(maskSecrets(text).length).toBeLessThanOrEqual(text.length + 3);
  });
});

const excerpt = (text: string) => excerptOf(new TextEncoder().encode(text));

describe('an excerpt', () => {
  it('is at most 256 characters in one line', () => {
    expect(excerpt(`a\nb\r\u001b[31m${'é'.repeat(500)}`)).toMatch(/^a\\u000ab\\u000d\\u001b\[31mé{247}$/);
    expect(excerptOf(Uint8Array.of(0xff, 0x41))).toBe('\ufffdA');
  });

  it.each([
    ['a long token', (text: string) => `{"auth_token": "${text}", "a": 1}`],
    ['the password of a URL', (text: string) => `see rabbit://u:${text}@h/ now`],
  ])('masks %s, wherever it is cut', (_, around) => {
    for (const before of [0, 100, 200, 240, 250, 260, 3900, 4060, 4080, 4090, 4095]) {
      for (const length of [20, 300, 5000]) {
        expect(excerpt('x '.repeat(before / 2) + around('S3cr3t'.repeat(length / 5)))).not.toContain('S3cr3t');
      }
    }
  });

  it('masks also where many masks bring the cut near', () => {
    const tokens = Array.from({ length: 200 }, () => '"token":"0123456789012345678901234567890123456789"').join(',');
    for (let shift = 0; shift < 60; shift++) expect(excerpt(' '.repeat(shift) + tokens)).not.toContain('0123');
  });
});

it('makes text fit for one line', () => {
  expect(printable('a\u0000\n\u2028\u202eb')).toBe('a\\u0000\\u000a\\u2028\\u202eb');
});

it('JSON whose values were masked before stays JSON', () => {
  for (const value of [{ password: '***', n: 1 }, { text: JSON.stringify({ auth_token: '***' }) }]) {
    expect(maskSecrets(JSON.stringify(value))).toBe(JSON.stringify(value));
  }
  expect(maskSecrets('{"password": "***\\"hunter2"}')).not.toContain('hunter2');
});
