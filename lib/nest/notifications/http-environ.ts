import { STATUS_CODES, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { isSecretName, maskSecrets } from '../../wire/redaction.js';

type Texts = Record<string, string>;

/** A request as WSGI describes it, for that is what listeners of `http.request` read; without what authenticates. */
export function environOf(request: IncomingMessage, serviceName: string | undefined): Texts {
  const { headers, socket, method = '', httpVersion } = request;
  const [path, query] = splitOnce((request as { originalUrl?: string }).originalUrl ?? request.url ?? '', '?');
  const host = headers.host ?? '';
  return {
    REQUEST_METHOD: method,
    SCRIPT_NAME: '',
    PATH_INFO: decoded(path),
    QUERY_STRING: maskSecrets(query),
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    SERVER_NAME: host.replace(/:\d+$/, ''),
    SERVER_PORT: String(socket?.localPort ?? ''),
    REMOTE_ADDR: socket?.remoteAddress ?? '',
    ...((socket as TLSSocket | undefined)?.encrypted && { HTTPS: 'on' }),
    ...headerEnviron(headers),
    HTTP_X_SERVICE_NAME: serviceName ?? host,
  };
}

/** As Python's web frameworks write them. */
export function responseOf(status: number, headers: OutgoingHttpHeaders): { status: string; headers: Texts } {
  return {
    status: `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd(),
    headers: Object.fromEntries(shareable(headers)),
  };
}

function headerEnviron(headers: IncomingHttpHeaders): Texts {
  const named = shareable(headers).map(([name, value]) => {
    const key = name.toUpperCase().replaceAll('-', '_');
    return [key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? key : `HTTP_${key}`, value];
  });
  return Object.fromEntries(named) as Texts;
}

function shareable(headers: IncomingHttpHeaders | OutgoingHttpHeaders): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || isPrivate(name)
      ? []
      : [[name, maskSecrets(Array.isArray(value) ? value.join(', ') : String(value))]],
  );
}

/** Python leaves out X-Auth-Token alone. */
function isPrivate(header: string): boolean {
  return (
    /assertion|auth|client-cert|cookie|hmac|jwt|session|signature/i.test(header) ||
    isSecretName(header.replaceAll('-', '_'))
  );
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
