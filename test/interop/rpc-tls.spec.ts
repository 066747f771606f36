import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, RpcClient, RpcServer } from '../../lib/index.js';
import { type CertificateFiles, Certificates } from '../support/certificates.js';
import { freePort } from '../support/free-port.js';
import { type RabbitServer, startRabbit, tlsConfiguration } from '../support/rabbit-server.js';
import { PythonPeer, pythonVersions } from './support/python-peer.js';

let certificates: Certificates;
let authority: CertificateFiles;
let ours: CertificateFiles;
let rabbit: RabbitServer;
let port: number;

beforeAll(async () => {
  certificates = await Certificates.open();
  authority = await certificates.authority('authority');
  const served = await certificates.leaf('broker', authority);
  ours = await certificates.leaf('conductor', authority);
  port = await freePort();
  rabbit = await startRabbit({
    configuration: [...tlsConfiguration(port, authority, served), 'ssl_options.fail_if_no_peer_cert = true'],
  });
});
afterAll(async () => {
  await rabbit?.dispose();
  await certificates?.dispose();
});

describe.each(pythonVersions)('over TLS, both with the same files, oslo.messaging %s', (version) => {
  let python: PythonPeer;
  let broker: Broker;

  beforeAll(async () => {
    const url = `rabbit://guest:guest@localhost:${port}/`;
    const files = { ssl_ca_file: authority.cert, ssl_cert_file: ours.cert, ssl_key_file: ours.key };
    python = await PythonPeer.start({ version, url, conf: { oslo_messaging_rabbit: { ssl: true, ...files } } });
    broker = await connectBroker(`${url}?ssl=true&${new URLSearchParams(files)}`, { startupTimeoutMs: 20_000 });
  });
  afterAll(async () => {
    await broker?.close();
    await python?.close();
  });

  it('calls us', async () => {
    const target = { exchange: 'nova', topic: 'ours' };
    const server = new RpcServer(broker, { ...target, server: 'host1' }, [
      { methods: { echo: (args: object) => args } },
    ]);
    await server.start();
    const args = { text: 'é'.repeat(200_000), n: 1 };
    expect(await python.call('echo', args, { target, client: { timeout: 20 } })).toEqual(args);
    await server.close();
  });

  it('is called by us', async () => {
    const target = { exchange: 'nova', topic: 'theirs' };
    await python.serve({ name: 'one', target: { ...target, server: 'host1' } });
    const client = new RpcClient(broker, target, { timeout: 20 });
    const args = { text: 'é'.repeat(200_000), n: 1 };
    expect(await client.call('echo', args)).toEqual(args);
    await client.close();
  });
});
