import { describe, expect, it } from 'vitest';
import { InvalidTransportUrl } from '../../../lib/index.js';
import type { TransportUrl } from '../../../lib/config/transport-url.js';

import { DEFAULT_TRANSPORT_URL, formatTransportUrl, parseTransportUrl } from '../../../lib/config/transport-url.js';
import { readGolden } from '../../golden/read-golden.js';

type PythonHost = [hostname: string | null, port: number | null, username: string | null, password: string | null];

interface PythonCase {
  url: string;
  transport: string;
  vhost: string | null;
  hosts: PythonHost[];
  query: Record<string, string>;
  error?: string;
}

const { cases } = readGolden('transport_urls.18.3.1.json') as { cases: PythonCase[] };
// We know the drivers' names when we parse; and a port must be one.
const OURS_IS_STRICTER = new Set(['h:5672/', 'rabbit://h:70000/']);
const understood = cases.filter(({ url, error }) => error === undefined && !OURS_IS_STRICTER.has(url));
const refused = cases.filter(({ url, error }) => error !== undefined || OURS_IS_STRICTER.has(url));

/** Python's fields with the defaults that its rabbit driver applies. */
function asConnected({ transport, vhost, hosts, query }: PythonCase): Omit<TransportUrl, 'masked'> {
  expect(['rabbit', 'kombu', 'rabbit+ssl']).toContain(transport);
  const given: PythonHost[] = hosts.length > 0 ? hosts : [[null, null, 'guest', 'guest']];
  return {
    transport: 'rabbit',
    ...(transport === 'rabbit+ssl' && { ssl: true }),
    virtualHost: vhost || '/',
    query,
    hosts: given.map(([hostname, port, username, password]) => ({
      hostname: hostname ?? 'localhost',
      port: port ?? 5672,
      ...(username !== null && { username }),
      ...(password !== null && { password }),
    })),
  };
}

describe('URLs that Python understands', () => {
  it.each(understood.map((python) => [python.url, python] as const))('%s', (url, python) => {
    const { masked, ...parsed } = parseTransportUrl(url);
    expect(parsed).toEqual(asConnected(python));
    expect(parseTransportUrl(masked).hosts.map(({ hostname, port }) => [hostname, port])).toEqual(
      parsed.hosts.map(({ hostname, port }) => [hostname, port]),
    );
  });

  it.each(understood.map(({ url }) => url))('%s is the same after formatting', (url) => {
    const { masked, ...parsed } = parseTransportUrl(url);
    expect(parseTransportUrl(formatTransportUrl(parsed))).toEqual({ masked, ...parsed });
  });
});

describe('URLs that are refused', () => {
  it.each(refused.map(({ url }) => url))('%s', (url) => {
    expect(() => parseTransportUrl(url)).toThrow(InvalidTransportUrl);
  });

  it.each(['', 'rabbit', 'rabbit:', '//h', 'kafka+ssl://h', 'fake://', 'amqp://h', 'rabbit://h:0/', 'rabbit://]h/'])(
    '%j',
    (url) => {
      expect(() => parseTransportUrl(url)).toThrow(InvalidTransportUrl);
    },
  );

  it('what is no string', () => {
    expect(() => parseTransportUrl(undefined as unknown as string)).toThrow(InvalidTransportUrl);
  });

  it.each([
    'rabbit://u:hunter2@h:x/',
    'rabbit://u:hunter2,x@h/',
    'rabbit://u:hunter2/x@h/',
    'rabbit://u:hunter2@[h/',
    'rabbit://u:a/[hunter2@h/',
    'foo://u:hunter2@h/',
    'u:hunter2@h',
    'rabbit:/u:hunter2@h',
  ])('without showing the password: %s', (url) => {
    let text = '';
    try {
      parseTransportUrl(url);
    } catch (error) {
      text = `${String(error)} ${JSON.stringify(error)}`;
    }
    expect(text).toContain('Invalid transport URL');
    expect(text).not.toContain('hunter2');
  });
});

const host = (hostname: string, port: number, username: string, password: string) => ({
  hostname,
  port,
  username,
  password,
});

describe('formatting, as in oslo.messaging’s TestFormatURL', () => {
  it.each([
    ['/vhost', [], 'rabbit:////vhost'],
    ['/', [host('host', 10, 'bob', 'secret')], 'rabbit://bob:secret@host:10//'],
    ['', [host('h1', 1000, 'b1', 's1'), host('h2', 2000, 'b2', 's2')], 'rabbit://b1:s1@h1:1000,b2:s2@h2:2000/'],
    ['/$', [host('host', 10, 'b$', 's&')], 'rabbit://b%24:s%26@host:10//%24'],
  ])('virtual host %j', (virtualHost, hosts, url) => {
    expect(formatTransportUrl({ transport: 'rabbit', virtualHost, hosts, query: {} })).toBe(url);
  });
});

it('masks every password', () => {
  const { masked } = parseTransportUrl('rabbit://u1:hunter2@h1:1,u2:a%2Fhunter2@[::1]/v?rabbit_quorum_queue=1');
  expect(masked).toBe('rabbit://u1:***@h1:1,u2:***@[::1]:5672/v?rabbit_quorum_queue=1');
});

it('shows no password where the host was forgotten', () => {
  expect(() => parseTransportUrl('rabbit://guest:hunter2')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  );
});

it('shows no password that begins like a port and has a raw slash', () => {
  expect(parseTransportUrl('rabbit://nova:12/hunter2@host/').masked).not.toContain('hunter2');
});

it('names the embedded bus by its host', () => {
  expect(parseTransportUrl('memory://').hosts).toEqual([]);
  expect(parseTransportUrl('memory://one').hosts[0]?.hostname).toBe('one');
  expect(parseTransportUrl('memory://one').masked).toBe('memory://one//');
});

it('has a default that it understands', () => {
  expect(parseTransportUrl(DEFAULT_TRANSPORT_URL)).toMatchObject({
    transport: 'rabbit',
    hosts: [{ hostname: '127.0.0.1', port: 5672, username: 'guest', password: 'guest' }],
    virtualHost: '/',
  });
});
