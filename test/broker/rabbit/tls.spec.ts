import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { lastValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  type Broker,
  ClientOsloRpc,
  ConfigurationError,
  connectBroker,
  type ConnectBrokerOptions,
  createBroker,
  MessageDeliveryFailure,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
} from '../../../lib/index.js';
import { type CertificateFiles, Certificates } from '../../support/certificates.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { type RabbitServer, startRabbit, tlsConfiguration } from '../../support/rabbit-server.js';
import { TlsFront } from '../../support/tls-front.js';

@Controller()
class PingController {
  @MessagePattern('ping')
  ping() {
    return 'pong';
  }
}

@Module({ controllers: [PingController] })
class NestedModule {}

let certificates: Certificates;
let authority: CertificateFiles;
let stranger: CertificateFiles;
let served: CertificateFiles;
let ours: CertificateFiles;
const brokers: Broker[] = [];
const fronts: TlsFront[] = [];

beforeAll(async () => {
  certificates = await Certificates.open();
  authority = await certificates.authority('authority');
  stranger = await certificates.authority('stranger');
  served = await certificates.leaf('broker', authority);
  ours = await certificates.leaf('conductor', authority);
});
afterAll(() => certificates?.dispose());
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  await Promise.all(fronts.splice(0).map((front) => front.close()));
});

async function open(url: string, options: ConnectBrokerOptions = {}): Promise<Broker> {
  const broker = await connectBroker(url, { startupTimeoutMs: 0, ...options });
  brokers.push(broker);
  return broker;
}

/** Why one attempt to connect fails. */
async function failure(url: string, options?: ConnectBrokerOptions): Promise<string> {
  const error = await open(url, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MessageDeliveryFailure);
  return (error as Error).message;
}

/** True when calls and answers, large ones and many, go over these. */
async function echoes(client: Broker, server: Broker): Promise<boolean> {
  const target = { exchange: 'nova', topic: 'conductor' };
  const serving = new RpcServer(server, { ...target, server: 'host1' }, [
    { methods: { echo: (args: object) => args } },
  ]);
  await serving.start();
  const calling = new RpcClient(client, target, { timeout: 10 });
  const large = { text: 'é'.repeat(300_000) };
  expect(await calling.call('echo', large)).toEqual(large);
  const many = Array.from({ length: 200 }, (_, n) => calling.call('echo', { n }));
  const answers = await Promise.all(many);
  await calling.close();
  await serving.close();
  return answers.length === 200;
}

describe('a broker with TLS', () => {
  let rabbit: RabbitServer;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    rabbit = await startRabbit({
      plugins: ['rabbitmq_auth_mechanism_ssl'],
      configuration: [
        ...tlsConfiguration(port, authority, served),
        'ssl_options.fail_if_no_peer_cert = false',
        'ssl_options.versions.1 = tlsv1.3',
        'ssl_options.versions.2 = tlsv1.2',
        'auth_mechanisms.1 = PLAIN',
        'auth_mechanisms.2 = AMQPLAIN',
        'auth_mechanisms.3 = EXTERNAL',
        'ssl_cert_login_from = common_name',
      ],
    });
  });
  afterAll(() => rabbit?.dispose());

  /** What the broker says of its connections: who they are, and with which protocol they are encrypted. */
  async function connections(): Promise<{ user: string; protocol: string; mechanism: string }[]> {
    return rabbit.admin.evaluate(`[#{user => Get(user, C), protocol => case Get(ssl, C) of true ->
      Get(ssl_protocol, C); _ -> plain end, mechanism => Get(auth_mechanism, C)} ||
      C <- rabbit_networking:connection_info_all([user, ssl, ssl_protocol, auth_mechanism])]`);
  }

  it.each([
    ['the scheme rabbit+ssl', 'rabbit+ssl://localhost', ''],
    ['the scheme kombu+tls', 'kombu+tls://127.0.0.1', ''],
    ['the query', 'rabbit://localhost', '?ssl=1'],
  ])('is reached by %s', async (_what, url, query) => {
    const of = (): Promise<Broker> => open(`${url}:${port}/${query}`, { sslCaFile: authority.cert });
    expect(await echoes(await of(), await of())).toBe(true);
    expect(new Set((await connections()).map(({ protocol }) => protocol))).toEqual(new Set(['tlsv1.3']));
  });

  it('is reached by options alone, with the certificate as text', async () => {
    const sslCa = await readFile(authority.cert, 'utf8');
    const broker = await open(`rabbit://localhost:${port}/`, { ssl: true, sslCa });
    expect(await echoes(broker, broker)).toBe(true);
  });

  it('is reached by the names of oslo in the URL', async () => {
    const query = new URLSearchParams({
      ssl: 'True',
      ssl_ca_file: authority.cert,
      ssl_cert_file: ours.cert,
      ssl_key_file: ours.key,
      ssl_version: 'TLSv1_2',
      ssl_enforce_hostname_verification: 'true',
      ssl_enforce_fips_mode: 'false',
    });
    await open(`rabbit://localhost:${port}/?${query}`);
    expect((await connections()).map(({ protocol }) => protocol)).toEqual(['tlsv1.2']);
  });

  it('knows us by our certificate alone (EXTERNAL)', async () => {
    await rabbit.admin.evaluate(`begin rabbit_auth_backend_internal:add_user(<<"conductor">>, <<"">>, <<"test">>),
      rabbit_auth_backend_internal:set_permissions(<<"conductor">>, <<"/">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>),
      true end`);
    const options: ConnectBrokerOptions = { sslCaFile: authority.cert, rabbitLoginMethod: 'EXTERNAL' };
    const url = `rabbit+ssl://localhost:${port}/`;
    const certified = { ...options, sslCertFile: ours.cert, sslKeyFile: ours.key };
    const broker = await open(url, certified);
    expect(await echoes(broker, broker)).toBe(true);
    for (const connection of await connections()) {
      expect(connection).toMatchObject({ user: 'conductor', mechanism: 'EXTERNAL' });
    }
    expect(await failure(url, options)).toMatch(/refused/i);
  });

  it('takes an encrypted key', async () => {
    const locked = await certificates.leaf('locked', authority, { passphrase: 'open sesame' });
    const files = { sslCaFile: authority.cert, sslCertFile: locked.cert, sslKeyFile: locked.key };
    const url = `rabbit+ssl://localhost:${port}/`;
    await open(url, { ...files, sslKeyPassphrase: 'open sesame' });
    const refused = (options: object): Promise<Broker> => open(url, { ...files, ...options });
    await expect(refused({})).rejects.toThrow(/is encrypted, and sslKeyPassphrase is not set/);
    await expect(refused({ sslKeyPassphrase: 'x' })).rejects.toThrow(/sslKeyPassphrase does not open it/);
  });

  it('negotiates ciphers', async () => {
    const url = `rabbit+ssl://localhost:${port}/`;
    const options: ConnectBrokerOptions = { sslCaFile: authority.cert, sslVersion: 'TLSv1_2' };
    await open(url, { ...options, sslCiphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
    expect(await failure(url, { ...options, sslCiphers: 'ECDHE-RSA-AES128-GCM-SHA256' })).toMatch(
      /nothing in common with the broker: ciphers/,
    );
  });

  it('says so to a client without TLS', async () => {
    expect(await failure(`rabbit://localhost:${port}/`)).toMatch(/this port speaks TLS: set ssl/);
  });

  it('refuses a certificate that it does not trust', async () => {
    const foreign = await certificates.leaf('foreign', stranger);
    const files = { sslCaFile: authority.cert, sslCertFile: foreign.cert, sslKeyFile: foreign.key };
    expect(await failure(`rabbit+ssl://localhost:${port}/`, files)).toMatch(/the broker refuses our certificate/);
  });

  it('is reached by a Nest service with the configuration file of a cloud', async () => {
    const configFile = `${authority.cert}.conf`;
    await writeFile(
      configFile,
      `[DEFAULT]\ntransport_url = rabbit://guest:guest@localhost:${port}/\ncontrol_exchange = nova\n` +
        `[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = ${authority.cert}\n`,
    );
    const strategy = new ServerOsloRpc({ configFile, topic: 'nest', logEvents: false });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(NestedModule, { strategy, logger: false });
    await app.listen();
    const client = new ClientOsloRpc({ configFile, topic: 'nest', timeout: 10, logEvents: false });
    expect(await lastValueFrom(client.send('ping', {}))).toBe('pong');
    await client.close();
    await app.close();
  });

  it('is reached again after every end of a connection', async () => {
    const broker = await open(`rabbit+ssl://localhost:${port}/`, { sslCaFile: authority.cert });
    await rabbit.admin.evaluate(`begin [rabbit_networking:close_connection(C, <<"by a test">>) ||
      C <- rabbit_networking:connections()], true end`);
    expect(await echoes(broker, broker)).toBe(true);
  });
});

describe('a certificate', () => {
  async function front(files: CertificateFiles, options?: Parameters<typeof TlsFront.start>[2]): Promise<TlsFront> {
    const made = await TlsFront.start(inject('rabbit').address, files, options);
    fronts.push(made);
    return made;
  }

  const urlOf = ({ port }: TlsFront, host = 'localhost'): string => {
    const { user, password } = inject('rabbit').address;
    return `rabbit+ssl://${user}:${password}@${host}:${port}/`;
  };

  it('that has expired', async () => {
    const expired = await certificates.leaf('expired', authority, { days: -1 });
    const message = await failure(urlOf(await front(expired)), { sslCaFile: authority.cert });
    expect(message).toMatch(/the broker's certificate has expired.*CERT_HAS_EXPIRED/);
  });

  it('that is self-signed is taken once it is named', async () => {
    const url = urlOf(await front(stranger));
    expect(await failure(url, { sslCaFile: authority.cert })).toMatch(/self-signed.*sslCaFile/);
    expect(await failure(url)).toMatch(/self-signed.*sslCaFile/);
    await open(url, { sslCaFile: stranger.cert });
  });

  it('of an authority that is not trusted', async () => {
    const url = urlOf(await front(served));
    expect(await failure(url)).toMatch(/an authority that is not trusted.*sslCaFile/);
    expect(await failure(url, { sslCaFile: stranger.cert })).toMatch(/an authority that is not trusted/);
    await open(url, { sslVerify: false });
  });

  it('for another name', async () => {
    const other = await certificates.leaf('other', authority, { names: 'DNS:rabbit.example' });
    const url = urlOf(await front(other));
    const trusting = { sslCaFile: authority.cert };
    expect(await failure(url, trusting)).toMatch(/is not for 'localhost', but for DNS:rabbit\.example/);
    expect(await failure(urlOf(await front(other), '127.0.0.1'), trusting)).toMatch(/is not for '127\.0\.0\.1'/);
    await open(url, { ...trusting, sslServerName: 'rabbit.example' });
    await open(url, { ...trusting, sslEnforceHostnameVerification: false });
    // Any name will do; not any authority.
    expect(await failure(url, { sslEnforceHostnameVerification: false })).toMatch(/an authority that is not trusted/);
  });

  it('of ours that is missing', async () => {
    const demanding = { requestCert: true, ca: await readFile(authority.cert) };
    const url = urlOf(await front(served, demanding));
    expect(await failure(url, { sslCaFile: authority.cert })).toMatch(/the broker wants a certificate of ours/);
    await open(url, { sslCaFile: authority.cert, sslCertFile: ours.cert, sslKeyFile: ours.key });
  });

  it('is not there on a port without TLS', async () => {
    const { host, port } = inject('rabbit').address;
    expect(await failure(`rabbit+ssl://${host}:${port}/`)).toMatch(/this port does not speak TLS/);
  });

  it('and a login by certificate, without TLS', async () => {
    const { host, port } = inject('rabbit').address;
    expect(await failure(`rabbit://${host}:${port}/`, { rabbitLoginMethod: 'EXTERNAL' })).toMatch(
      /no login by EXTERNAL here: set rabbitLoginMethod .* or ssl with sslCertFile and sslKeyFile/,
    );
  });

  it('and versions that the two do not share', async () => {
    const url = urlOf(await front(served, { minVersion: 'TLSv1.3' }));
    const options: ConnectBrokerOptions = { sslCaFile: authority.cert, sslVersion: 'TLSv1_2' };
    expect(await failure(url, options)).toMatch(/no version of TLS in common/);
    await open(url, { ...options, sslVersion: 'SSLv23' });
  });

  it.each(['TLSv1', 'TLSv1_1'] as const)(
    'and what to do with %s, which OpenSSL refuses by default',
    async (sslVersion) => {
      const weak = 'DEFAULT@SECLEVEL=0';
      const old = urlOf(await front(served, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: weak }));
      const options: ConnectBrokerOptions = { sslCaFile: authority.cert, sslVersion };
      const message = await failure(old, options);
      expect(message).toMatch(/set sslVersion to TLSv1_2 or leave it out.*sslCiphers to 'DEFAULT@SECLEVEL=0'/);
      expect(message).not.toMatch(/openssl|routines/);
      await open(old, { ...options, sslCiphers: weak });
      const today = urlOf(await front(served));
      expect(await failure(today, options)).toMatch(
        /no version of TLS in common with the broker: leave sslVersion out/,
      );
    },
  );

  it('and that one side breaks off, in words', async () => {
    // Without a cipher that it may use, OpenSSL ends the handshake with an internal error.
    const url = urlOf(await front(served, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }));
    const message = await failure(url, { sslCaFile: authority.cert, sslVersion: 'TLSv1_1' });
    expect(message).toMatch(/the broker has broken off the TLS handshake: look at sslVersion and sslCiphers/);
    expect(message).not.toMatch(/routines/);
  });

  it('is read again with each connection', async () => {
    const renewedCa = `${authority.cert}.renewed`;
    await copyFile(authority.cert, renewedCa);
    const behind = await front(served);
    const broker = await open(urlOf(behind), { sslCaFile: renewedCa });
    const failures: string[] = [];
    broker.events.subscribe((event) => {
      if (event.type === 'connection-changed') failures.push(event.message);
    });
    const renewed = await certificates.leaf('renewed', stranger);
    behind.renew(renewed);
    behind.drop();
    await eventually(() => failures.some((message) => message.includes('not trusted')));
    await copyFile(stranger.cert, renewedCa);
    await eventually(() => broker.state === 'connected');
    expect(await echoes(broker, broker)).toBe(true);
  });
});

describe('files and texts that cannot be used', () => {
  const refusal = (options: ConnectBrokerOptions): unknown => {
    try {
      brokers.push(createBroker('rabbit+ssl://localhost/', options));
      return undefined;
    } catch (error) {
      return error;
    }
  };

  it.each<[string, () => ConnectBrokerOptions, RegExp]>([
    [
      'a missing file',
      () => ({ sslCaFile: '/no/such/file' }),
      /sslCaFile must be a file that can be read: Error: ENOENT.*\/no\/such\/file/,
    ],
    ['no certificate', () => ({ sslCaFile: ours.key }), /sslCaFile .*holds no certificate in PEM form/],
    ['no key', () => ({ sslCertFile: ours.cert, sslKeyFile: ours.cert }), /sslKeyFile .*holds no private key/],
    ["another's key", () => ({ sslCertFile: ours.cert, sslKeyFile: served.key }), /the key is not that of the cert/],
    ['a key alone', () => ({ sslKeyFile: ours.key }), /of no use without sslCertFile/],
    ['a certificate alone', () => ({ sslCertFile: ours.cert }), /sslCertFile .*holds no private key/],
    ['text and file', () => ({ sslCa: 'x', sslCaFile: ours.cert }), /sslCa and sslCaFile are two ways/],
    ['rubbish', () => ({ sslCa: 'rubbish' }), /sslCa holds no certificate/],
    ['a version that nobody speaks', () => ({ sslVersion: 'SSLv3' as 'TLSv1' }), /sslVersion must be one of SSLv23/],
    ['ciphers that there are not', () => ({ sslCiphers: 'nonsense' }), /sslCiphers: OpenSSL knows none of 'nonsense'/],
    ['FIPS', () => ({ sslEnforceFipsMode: true }), /does not run in FIPS mode/],
  ])('%s', (_what, options, message) => {
    const error = refusal(options());
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(message);
  });
});
