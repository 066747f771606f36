import { credentials } from 'amqplib';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import type { TransportHost } from '../../config/transport-url.js';

interface SaslResponse {
  mechanism: string;
  response(): Buffer;
}

/** Answers the broker's question who we are; kombu's `guest` where a host names nobody. */
export function saslResponse(method: ResolvedRabbitOptions['rabbitLoginMethod'], host: TransportHost): SaslResponse {
  if (method === 'EXTERNAL') return credentials.external();
  const anonymous = host.username === undefined && host.password === undefined;
  const username = anonymous ? 'guest' : (host.username ?? '');
  const password = anonymous ? 'guest' : (host.password ?? '');
  return method === 'PLAIN' ? credentials.plain(username, password) : credentials.amqplain(username, password);
}
