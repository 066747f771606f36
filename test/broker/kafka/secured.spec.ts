import { readFile, writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connectBroker,
  createBroker,
  type IncomingNotification,
  NotificationListener,
  NotifierCore,
} from '../../../lib/index.js';
import { type CertificateFiles, Certificates } from '../../support/certificates.js';
import { TlsFront } from '../../support/tls-front.js';
import { type KafkaServer, startKafka } from '../../support/kafka-server.js';

const PASSWORD = 'geheim-4711';

let kafka: KafkaServer;
let certificates: Certificates;
let authority: CertificateFiles;
let client: CertificateFiles;

beforeAll(async () => {
  certificates = await Certificates.open();
  authority = await certificates.authority('authority');
  const server = await certificates.leaf('server', authority);
  client = await certificates.leaf('client', authority, { passphrase: 'hunter-2' });
  const both = `${server.cert}.both`;
  await writeFile(both, (await readFile(server.key, 'utf8')) + (await readFile(server.cert, 'utf8')));
  const users = { alice: PASSWORD };
  kafka = await startKafka({ secured: { keyAndCertificate: both, authority: authority.cert, users } });
});
afterAll(async () => {
  await kafka?.dispose();
  await certificates?.dispose();
});

function urlOf(password: string, mechanism: string, protocol = 'SASL_SSL'): string {
  const query = new URLSearchParams({
    security_protocol: protocol,
    sasl_mechanism: mechanism,
    ssl_cafile: authority.cert,
    ssl_client_cert_file: client.cert,
    ssl_client_key_file: client.key,
    ssl_client_key_password: 'hunter-2',
    consumer_group: `group-${mechanism}`,
  });
  return `kafka://alice:${password}@${kafka.securedAddress}/?${query}`;
}

it.each(['PLAIN', 'SCRAM-SHA-256'])('over TLS, logged in by %s', async (mechanism) => {
  const broker = await connectBroker(urlOf(PASSWORD, mechanism), { startupTimeoutMs: 20_000 });
  const heard: unknown[] = [];
  const handler = ({ eventType }: IncomingNotification): void => void heard.push(eventType);
  const topics = [`t-${mechanism}`];
  const listener = new NotificationListener(broker, [{ priorities: 'info', handler }], { topics });
  await listener.start();
  await new NotifierCore(broker, { topics }).info('a.b', {});
  await expect.poll(() => heard).toEqual(['a.b']);
  expect(inspect([broker, listener], { depth: 20, showHidden: false })).not.toMatch(/geheim|hunter-2|PRIVATE KEY/);
  await listener.close();
  await broker.close();
});

it.each(['PLAIN', 'SCRAM-SHA-256'])('a wrong password says so: %s', async (mechanism) => {
  const connecting = connectBroker(urlOf('wrong-1', mechanism), { startupTimeoutMs: 0 });
  await expect(connecting).rejects.toThrow(/authentication failed|invalid credentials/i);
  await expect(connecting).rejects.not.toThrow(/wrong-1/);
});

it.each(['PLAIN', 'SCRAM-SHA-256'])('a wrong password names the user: %s', async (mechanism) => {
  const connecting = connectBroker(urlOf('wrong-1', mechanism), { startupTimeoutMs: 0 });
  await expect(connecting).rejects.toThrow(/The user is 'alice': check its password/);
});

it('a wrong password names the user to a listener, too', async () => {
  const broker = createBroker(urlOf('wrong-1', 'PLAIN'));
  const listener = new NotificationListener(broker, [{ priorities: 'info', handler: () => undefined }], {
    topics: ['t'],
  });
  await expect(listener.start()).rejects.toThrow(/The user is 'alice': check its password/);
  await broker.close();
});

describe('a broker that does not fit tells what to set:', () => {
  const without = (url: string, option: string): string => url.replace(new RegExp(`${option}=[^&]*&`), '');
  const url = (): string => urlOf(PASSWORD, 'PLAIN');

  it('an authority that nobody knows', async () => {
    const connecting = connectBroker(without(url(), 'ssl_cafile'), { startupTimeoutMs: 0 });
    await expect(connecting).rejects.toThrow(/authority that is not trusted: name .* in sslCafile/);
  });

  // The connection ends in the middle of the login: twice the client tells of it, and the second time to nobody.
  it('it wants a certificate of ours', async () => {
    const none = without(without(url(), 'ssl_client_cert_file'), 'ssl_client_key_file');
    const connecting = connectBroker(none, { startupTimeoutMs: 0 });
    await expect(connecting).rejects.toThrow(/set sslClientCertFile and sslClientKeyFile/);
  });

  it('a certificate for another name', async () => {
    const other = await certificates.leaf('other', authority, { names: 'DNS:elsewhere' });
    const front = await TlsFront.start({ host: '127.0.0.1', port: portOf(kafka.address) }, other);
    const connecting = connectBroker(url().replace(/@[^/]*/, `@localhost:${front.port}`), { startupTimeoutMs: 0 });
    await expect(connecting).rejects.toThrow(/not for 'localhost', but for DNS:elsewhere/);
    await front.close();
  });

  it('TLS, to a port without', async () => {
    const connecting = connectBroker(url().replace(kafka.securedAddress, kafka.address), { startupTimeoutMs: 0 });
    await expect(connecting).rejects.toThrow(/set securityProtocol to PLAINTEXT or SASL_PLAINTEXT/);
  });

  it('no TLS, to a port with it', async () => {
    const connecting = connectBroker(`kafka://${kafka.securedAddress}/`, { startupTimeoutMs: 0 });
    await expect(connecting).rejects.toThrow(/set securityProtocol to SSL or SASL_SSL/);
  });
});

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}
