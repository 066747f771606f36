import { ConfigurationError, InvalidTransportUrl } from '../errors/configuration.errors.js';

/**
 * The address of a broker, and our credentials there.
 *
 * @publicApi
 */
export interface TransportHost {
  readonly hostname: string;
  readonly port: number;
  /** Absent (with the password): RabbitMQ's `guest`. Never inherited from another host of the URL. */
  readonly username?: string;
  readonly password?: string;
}

/**
 * A transport URL, taken apart: `driver://[user[:password]@]host[:port][,…]/vhost[?query]`.
 *
 * @publicApi
 */
export interface TransportUrl {
  readonly transport: 'kafka' | 'memory' | 'rabbit';
  /** True when the scheme asks for TLS: `rabbit+ssl://` or `rabbit+tls://`. */
  readonly ssl?: boolean;
  /** In the order of the URL. Empty only for `memory://`, where the one host is the bus's name. */
  readonly hosts: readonly TransportHost[];
  readonly virtualHost: string;
  /** Options of the driver by their oslo names; repeated keys joined with commas. */
  readonly query: Readonly<Record<string, string>>;
  /** The URL for people, passwords masked. */
  readonly masked: string;
}

/** Used when no URL is given. */
export const DEFAULT_TRANSPORT_URL = 'rabbit://guest:guest@127.0.0.1:5672/';

const DEFAULT_PORTS = { kafka: 9092, memory: 5672, rabbit: 5672 } as const;
const DEFAULT_HOSTNAME = 'localhost';

/** Scheme, authority, path and query, cut where Python's `urlparse` cuts; a fragment is dropped. */
const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(?:#.*)?$/i;

/**
 * Understands a transport URL by the rules of oslo.messaging.
 *
 * @throws InvalidTransportUrl
 */
export function parseTransportUrl(url: string): TransportUrl {
  const refuse: Refusal = (reason) => new InvalidTransportUrl(withoutCredentials(String(url)), reason);
  if (typeof url !== 'string') throw refuse('it is not a string');
  const parts = URL_PARTS.exec(url.trim());
  if (parts === null) throw refuse("it must look like 'rabbit://user:password@host:5672/vhost'");
  const [, name = '', authority = '', path = '', query = ''] = parts;
  const end = url.search(/[?#]/);
  if (end !== -1 && url.includes('@', end))
    throw refuse("a '?' or '#' in a user name or password must be percent-encoded, as %3F or %23");
  const scheme = readScheme(name.toLowerCase(), refuse);
  const port = DEFAULT_PORTS[scheme.transport];
  const hosts = authority.split(',').flatMap((host) => (host === '' ? [] : [parseHost(host, port, refuse)]));
  if (hosts.length === 0) hosts.push(...defaultHosts(scheme.transport));
  const parsed = { ...scheme, hosts, virtualHost: unquote(path.slice(1)) || '/', query: parseQuery(query) };
  return { ...parsed, masked: formatTransportUrl(maskPasswords(parsed)) };
}

/** Said to whoever tries. */
export const KAFKA_HAS_NO_RPC =
  'Kafka carries notifications alone, as in Python: RPC needs a rabbit:// URL, notifications may have a URL of their own';

/** The same for RPC. @throws InvalidTransportUrl @throws ConfigurationError a bus that carries none */
export function parseRpcTransportUrl(url: string): TransportUrl {
  const parsed = parseTransportUrl(url);
  if (parsed.transport === 'kafka') throw new ConfigurationError(KAFKA_HAS_NO_RPC, parsed.masked);
  return parsed;
}

/** Hosts without credentials of a URL whose other hosts have some; Python counts a user without a password as none. */
export function hostsWithoutCredentials({ hosts }: Pick<TransportUrl, 'hosts'>): string[] {
  const without = hosts.filter(({ username, password }) => username === undefined || password === undefined);
  return without.length < hosts.length ? without.map(({ hostname }) => hostname) : [];
}

/** The URL in one canonical form, credentials and virtual host encoded; the opposite of `parseTransportUrl`. */
export function formatTransportUrl(url: Omit<TransportUrl, 'masked'>): string {
  const hosts = url.hosts.map(url.transport === 'memory' ? ({ hostname }) => hostname : formatHost).join(',');
  const isDefault = url.transport === 'kafka' && url.virtualHost === '/';
  const virtualHost = isDefault ? '' : encodeURIComponent(url.virtualHost).replaceAll('%2F', '/');
  const query = new URLSearchParams(url.query).toString();
  return `${url.transport}${url.ssl ? '+ssl' : ''}://${hosts}/${virtualHost}${query === '' ? '' : `?${query}`}`;
}

type Refusal = (reason: string) => InvalidTransportUrl;

function readScheme(scheme: string, refuse: Refusal): Pick<TransportUrl, 'ssl' | 'transport'> {
  const [driver, ...variants] = scheme.split('+');
  switch (driver) {
    case 'kombu':
    case 'rabbit':
      return { transport: 'rabbit', ...(readVariant(variants.join('+'), refuse) && { ssl: true }) };
    case 'memory':
      return { transport: 'memory' };
    case 'fake':
      throw refuse("the driver 'fake' lives inside one Python process; 'memory://' is the bus inside this one");
    case 'kafka':
      if (variants.length === 0) return { transport: 'kafka' };
      throw refuse(`'${scheme}' says nothing to Python: TLS is '?security_protocol=SSL', or SASL_SSL`);
    default:
      throw refuse(`there is no driver '${driver}'; known are rabbit, kombu, kafka and memory`);
  }
}

/** True for TLS. Python hands what stands behind `kombu+` to kombu, which knows other buses than RabbitMQ. */
function readVariant(variant: string, refuse: Refusal): boolean {
  if (['', 'amqp', 'pyamqp'].includes(variant)) return false;
  if (['ssl', 'tls'].includes(variant)) return true;
  throw refuse(`of RabbitMQ there is no variant '+${variant}'; known are +ssl and +tls`);
}

function defaultHosts(transport: TransportUrl['transport']): TransportHost[] {
  const host = { hostname: DEFAULT_HOSTNAME, port: DEFAULT_PORTS[transport] };
  switch (transport) {
    case 'kafka':
      return [host];
    case 'memory':
      return [];
    case 'rabbit':
      return [{ ...host, username: 'guest', password: 'guest' }];
  }
}

function parseHost(text: string, defaultPort: number, refuse: Refusal): TransportHost {
  const at = text.lastIndexOf('@');
  const address = parseAddress(text.slice(at + 1), defaultPort, refuse);
  if (at === -1) return address;
  const credentials = text.slice(0, at);
  const colon = credentials.indexOf(':');
  if (colon === -1) return { ...address, username: unquote(credentials) };
  return {
    ...address,
    username: unquote(credentials.slice(0, colon)),
    password: unquote(credentials.slice(colon + 1)),
  };
}

// The reasons show no text of the URL: it is a piece of the password where that holds a raw comma or slash.
/** More than one colon outside brackets is an IPv6 address without a port, as in oslo.utils' `parse_host_port`. */
function parseAddress(address: string, defaultPort: number, refuse: Refusal): TransportHost {
  const parts = /^(?:\[([^[\]]+)\]|([^[\]:]*)|([^[\]:]*:[^[\]:]*:[^[\]]*))(?::([^:]*))?$/.exec(address);
  if (parts === null) throw refuse('a host is not understood');
  const hostname = parts[1] ?? parts[2] ?? parts[3] ?? '';
  return { hostname: hostname || DEFAULT_HOSTNAME, port: parsePort(parts[4], defaultPort, refuse) };
}

function parsePort(text: string | undefined, defaultPort: number, refuse: Refusal): number {
  if (text === undefined) return defaultPort;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw refuse('a port is not a number from 1 to 65535');
  return port;
}

/** Repeated keys are joined, blank values dropped, as `TransportURL.parse` does. */
function parseQuery(text: string): Record<string, string> {
  const values = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(text)) {
    if (value === '') continue;
    const all = values.get(key);
    if (all) all.push(value);
    else values.set(key, [value]);
  }
  return Object.fromEntries([...values].map(([key, all]) => [key, all.join(',')]));
}

/** Decodes `%XX` as Python's `unquote`: what is no escape stays, what is no UTF-8 is replaced. */
function unquote(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    const bytes = escapes
      .slice(1)
      .split('%')
      .map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
}

function formatHost({ hostname, port, username, password }: TransportHost): string {
  const secret = password === undefined ? '' : `:${password === MASK ? MASK : encodeURIComponent(password)}`;
  const credentials = username === undefined ? '' : `${encodeURIComponent(username)}${secret}@`;
  return `${credentials}${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
}

const MASK = '***';

function maskPasswords(url: Omit<TransportUrl, 'masked'>): Omit<TransportUrl, 'masked'> {
  const hosts = url.hosts.map((host) => (host.password === undefined ? host : { ...host, password: MASK }));
  const query = Object.fromEntries(
    Object.entries(url.query).map(([name, value]) => [name, name.includes('password') ? MASK : value]),
  );
  // A raw slash in a password ends the hosts: what looks like a virtual host may be its rest, and the port its beginning.
  const [first] = hosts;
  if (first && url.virtualHost.includes('@'))
    return { ...url, query, hosts: [{ hostname: MASK, port: DEFAULT_PORTS[url.transport] }], virtualHost: MASK };
  return { ...url, hosts, query };
}

/** For URLs that could not be taken apart: everything up to the last @ may be a password. */
function withoutCredentials(url: string): string {
  const masked = url.replace(/^([a-z0-9+.-]*:\/\/)?.*@/is, `$1${MASK}@`);
  // Without a host, what stands in the place of its port is one.
  return masked.replace(/^((?:[a-z0-9+.-]*:\/\/)?[^@:/,[\]]+:)(?!\/\/|\d*(?:[/,?#]|$))[^/,?#]*/i, `$1${MASK}`);
}
