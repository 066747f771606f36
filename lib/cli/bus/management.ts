import { parseTransportUrl } from '../../config/transport-url.js';
import { ManagementApi } from '../../observe/bus/management-api.js';
import type { TransportChoice } from './transport-choice.js';

/** The option of commands that may ask the management API. */
export interface ManagementOptions {
  readonly managementUrl?: string;
}

const GUEST = 'guest';

/** Of `--management-url`, else of the context; without credentials of its own, with those of the bus. @throws ConfigurationError */
export function managementOf({ managementUrl }: ManagementOptions, choice: TransportChoice): ManagementApi | undefined {
  const url = managementUrl ?? choice.managementUrl;
  if (url === undefined) return undefined;
  const { user, password } = credentialsOf(choice);
  return new ManagementApi(url, { username: user, password });
}

/** The virtual host, and the user there. */
export function virtualHostOf(choice: TransportChoice): { virtualHost: string; user: string } {
  return { virtualHost: parseTransportUrl(choice.url).virtualHost, user: credentialsOf(choice).user };
}

/** Of the first host, as RabbitMQ's own where it names nobody. */
function credentialsOf({ url }: TransportChoice): { user: string; password: string } {
  const [host] = parseTransportUrl(url).hosts;
  return { user: host?.username ?? GUEST, password: host?.password ?? GUEST };
}
