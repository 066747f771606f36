import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import type { CertificateFiles } from './certificates.js';

/** TLS in front of a broker that speaks none: Node's, with any certificate. */
export class TlsFront {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(
    target: { host: string; port: number },
    files: CertificateFiles,
    options: TlsOptions = {},
  ): Promise<TlsFront> {
    const server = createServer({ ...read(files), ...options });
    const front = new TlsFront(server);
    server.on('secureConnection', (client) => {
      const broker = connect(target.port, target.host);
      for (const socket of [client, broker]) front.watch(socket);
      client.pipe(broker).pipe(client);
      client.once('close', () => broker.destroy());
      broker.once('close', () => client.destroy());
    });
    // A client that refuses the certificate, or that we refuse.
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return front;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Another certificate for whoever connects from now on. */
  renew(files: CertificateFiles): void {
    this.server.setSecureContext(read(files));
  }

  /** Cuts all connections; new ones are accepted. */
  drop(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    this.drop();
    await closed;
  }

  private watch(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
  }
}

function read({ cert, key }: CertificateFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}
