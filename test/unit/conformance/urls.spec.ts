import { describe, expect, it } from 'vitest';
import { InvalidTransportUrl } from '../../../lib/index.js';
import {
  DEFAULT_TRANSPORT_URL,
  formatTransportUrl,
  parseTransportUrl,
  type TransportHost,
} from '../../../lib/config/transport-url.js';

interface Expected {
  virtualHost: string;
  hosts: Partial<TransportHost>[];
}

const guest = { username: 'guest', password: 'guest' };
const everywhere: Partial<TransportHost>[] = [{ hostname: 'localhost', port: 5672, ...guest }];
const u = { username: 'u', password: 'p' };

function expectParsed(url: string, { virtualHost, hosts }: Expected): void {
  const { masked: _masked, ...parsed } = parseTransportUrl(url);
  expect(parsed).toEqual({ transport: 'rabbit', virtualHost, hosts, query: {} });
}

// TestParseURL, with the driver's name in place of `foo`, and the defaults that the rabbit driver fills in.
describe('a transport URL is taken apart', () => {
  it.each<[string, string, Expected]>([
    ['a slash as virtual host', 'rabbit:////', { virtualHost: '/', hosts: everywhere }],
    ['a virtual host', 'rabbit:///bar', { virtualHost: 'bar', hosts: everywhere }],
    ['a host', 'rabbit://host/bar', { virtualHost: 'bar', hosts: [{ hostname: 'host', port: 5672 }] }],
    ['an IPv6 host', 'rabbit://[ffff::1]/bar', { virtualHost: 'bar', hosts: [{ hostname: 'ffff::1', port: 5672 }] }],
    ['a port', 'rabbit://host:1234/bar', { virtualHost: 'bar', hosts: [{ hostname: 'host', port: 1234 }] }],
    [
      'the port of an IPv6 host',
      'rabbit://[ffff::1]:1234/bar',
      { virtualHost: 'bar', hosts: [{ hostname: 'ffff::1', port: 1234 }] },
    ],
    [
      'a user',
      'rabbit://u@host:1234/bar',
      { virtualHost: 'bar', hosts: [{ hostname: 'host', port: 1234, username: 'u' }] },
    ],
    [
      'a password',
      'rabbit://u:p@host:1234/bar',
      { virtualHost: 'bar', hosts: [{ hostname: 'host', port: 1234, ...u }] },
    ],
    [
      'credentials without a host',
      'rabbit://u:p@/bar',
      { virtualHost: 'bar', hosts: [{ hostname: 'localhost', port: 5672, ...u }] },
    ],
    [
      'two hosts, one with credentials',
      'rabbit://u:p@host1:1234,host2:4321/bar',
      {
        virtualHost: 'bar',
        hosts: [
          { hostname: 'host1', port: 1234, ...u },
          { hostname: 'host2', port: 4321 },
        ],
      },
    ],
    [
      'two hosts without ports, one with credentials',
      'rabbit://u:p@host1,host2/bar',
      {
        virtualHost: 'bar',
        hosts: [
          { hostname: 'host1', port: 5672, ...u },
          { hostname: 'host2', port: 5672 },
        ],
      },
    ],
    [
      'two hosts with credentials',
      'rabbit://u1:p1@host1:1234,u2:p2@host2:4321/bar',
      {
        virtualHost: 'bar',
        hosts: [
          { hostname: 'host1', port: 1234, username: 'u1', password: 'p1' },
          { hostname: 'host2', port: 4321, username: 'u2', password: 'p2' },
        ],
      },
    ],
    [
      'two IPv6 hosts with credentials',
      'rabbit://u1:p1@[ffff::1]:1234,u2:p2@[ffff::2]:4321/bar',
      {
        virtualHost: 'bar',
        hosts: [
          { hostname: 'ffff::1', port: 1234, username: 'u1', password: 'p1' },
          { hostname: 'ffff::2', port: 4321, username: 'u2', password: 'p2' },
        ],
      },
    ],
    [
      'what is percent-encoded',
      'rabbit://u%24:p%26@host:1234/%24',
      { virtualHost: '$', hosts: [{ hostname: 'host', port: 1234, username: 'u$', password: 'p&' }] },
    ],
  ])('%s', (_name, url, expected) => expectParsed(url, expected));

  it.each(['rabbit:', 'rabbit:/user:password@host/'])(
    'ours: without two slashes it is refused, where Python goes to localhost: %s',
    (url) => {
      expect(() => parseTransportUrl(url)).toThrow(InvalidTransportUrl);
    },
  );
});

// TestRabbitTransportURL: where the driver connects to. Without credentials kombu takes RabbitMQ's guest, as we do.
describe('a transport URL says where to connect', () => {
  it('none: guest at the port 5672 of this machine; ours: by its address, so that no name has to be found', () => {
    expectParsed(DEFAULT_TRANSPORT_URL, {
      virtualHost: '/',
      hosts: [{ hostname: '127.0.0.1', port: 5672, ...guest }],
    });
  });

  const credentials = { username: 'user', password: 'password' };
  it.each<[string, string, Expected]>([
    ['an empty one', 'rabbit:///', { virtualHost: '/', hosts: everywhere }],
    ['localhost', 'rabbit://localhost/', { virtualHost: '/', hosts: [{ hostname: 'localhost', port: 5672 }] }],
    ['a virtual host alone', 'rabbit:///vhost', { virtualHost: 'vhost', hosts: everywhere }],
    [
      'no credentials',
      'rabbit://host/virtual_host',
      { virtualHost: 'virtual_host', hosts: [{ hostname: 'host', port: 5672 }] },
    ],
    [
      'no port',
      'rabbit://user:password@host/virtual_host',
      { virtualHost: 'virtual_host', hosts: [{ hostname: 'host', port: 5672, ...credentials }] },
    ],
    [
      'a full URL',
      'rabbit://user:password@host:10/virtual_host',
      { virtualHost: 'virtual_host', hosts: [{ hostname: 'host', port: 10, ...credentials }] },
    ],
    [
      'two hosts',
      'rabbit://user:password@host:10,user2:password2@host2:12/virtual_host',
      {
        virtualHost: 'virtual_host',
        hosts: [
          { hostname: 'host', port: 10, ...credentials },
          { hostname: 'host2', port: 12, username: 'user2', password: 'password2' },
        ],
      },
    ],
    [
      'an IPv6 address',
      'rabbit://u:p@[fd00:beef:dead:55::133]:10/vhost',
      { virtualHost: 'vhost', hosts: [{ hostname: 'fd00:beef:dead:55::133', port: 10, ...u }] },
    ],
    [
      'an IPv4 address',
      'rabbit://user:password@10.20.30.40:10/vhost',
      { virtualHost: 'vhost', hosts: [{ hostname: '10.20.30.40', port: 10, ...credentials }] },
    ],
    [
      'no slash after the port',
      'rabbit://user:password@10.20.30.40:10',
      { virtualHost: '/', hosts: [{ hostname: '10.20.30.40', port: 10, ...credentials }] },
    ],
  ])('%s', (_name, url, expected) => expectParsed(url, expected));

  it('ours: another transport of kombu is refused, and not taken for RabbitMQ', () => {
    expect(() => parseTransportUrl('kombu+memory:////')).toThrow(InvalidTransportUrl);
  });
});

// TestFormatURL.
describe('a transport URL is written', () => {
  const host = (hostname: string, port: number, username: string, password: string): TransportHost => ({
    hostname,
    port,
    username,
    password,
  });

  it.each<[string, string, TransportHost[], string]>([
    ['ours: the virtual host / is written, where Python leaves it to the broker', '/', [], 'rabbit:////'],
    ['a virtual host', '/vhost', [], 'rabbit:////vhost'],
    ['a host', '/', [host('host', 10, 'bob', 'secret')], 'rabbit://bob:secret@host:10//'],
    [
      'two hosts',
      '',
      [host('h1', 1000, 'b1', 's1'), host('h2', 2000, 'b2', 's2')],
      'rabbit://b1:s1@h1:1000,b2:s2@h2:2000/',
    ],
    ['what has to be percent-encoded', '/$', [host('host', 10, 'b$', 's&')], 'rabbit://b%24:s%26@host:10//%24'],
  ])('%s', (_name, virtualHost, hosts, url) => {
    expect(formatTransportUrl({ transport: 'rabbit', virtualHost, hosts, query: {} })).toBe(url);
  });
});
