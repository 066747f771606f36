/** Where a broker listens, and as whom to log in. */
export interface RabbitAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A transport URL, or with scheme `amqp` one for amqplib. */
export function rabbitUrl(address: RabbitAddress, vhost = '/', scheme: 'amqp' | 'rabbit' = 'rabbit'): string {
  const { user, password, host, port } = address;
  const path = vhost === '/' ? '' : encodeURIComponent(vhost);
  return `${scheme}://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${path}`;
}

/** The address of `rabbit://` and `amqp://` URLs with one host. */
export function rabbitAddress(url: string): RabbitAddress {
  const { hostname, port, username, password } = new URL(url.replace(/^\w+:/, 'amqp:'));
  return {
    host: hostname || '127.0.0.1',
    port: Number(port || 5672),
    user: decodeURIComponent(username || 'guest'),
    password: decodeURIComponent(password || 'guest'),
  };
}
