import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  createBroker,
  loadOsloConfig,
  NotificationModule,
  type NotificationModuleOptions,
  OsloRpcModule,
  ServerOsloRpc,
} from '../../../lib/index.js';

const directory = mkdtempSync(join(tmpdir(), 'option-origins-'));
const file = join(directory, 'nova.conf');
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string, path = file): string {
  writeFileSync(path, text);
  return path;
}

/** Nothing is connected to: what cannot be used is refused before. */
function refusalOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message;
  }
  throw new Error('not refused');
}

function ofBroker(text: string, url = 'rabbit://127.0.0.1:1/'): string {
  const { rabbit, transportUrl = url } = loadOsloConfig(write(text));
  return refusalOf(() => createBroker(transportUrl, rabbit));
}

async function ofModule(options: NotificationModuleOptions): Promise<string> {
  const starting = Test.createTestingModule({ imports: [NotificationModule.forRoot(options)] })
    .compile()
    .then((testing) => testing.createNestApplication({ logger: false }).init());
  const error: unknown = await starting.then(
    () => 'not refused',
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  return (error as Error).message;
}

const rabbit = (...lines: string[]): string => `[oslo_messaging_rabbit]\n${lines.join('\n')}\n`;
const kafka = (...lines: string[]): string => `[oslo_messaging_kafka]\n${lines.join('\n')}\n`;
const notifications = (...lines: string[]): string => `[oslo_messaging_notifications]\n${lines.join('\n')}\n`;

describe('an option that cannot be used names where it stands', () => {
  const group = `in [oslo_messaging_rabbit] of ${file}`;

  it.each([
    [
      rabbit('ssl = true', 'ssl_ca_file = /no/such.pem'),
      `Option ssl_ca_file ${group} must be a file that can be read: Error: ENOENT: no such file or directory, open '/no/such.pem'`,
    ],
    [rabbit('ssl = true', 'kombu_ssl_ca_certs = /no/such.pem'), `Option kombu_ssl_ca_certs ${group} must be a file`],
    [rabbit('ssl = true', `ssl_ca_file = ${file}`), `Option ssl_ca_file ${group} ('${file}') holds no certificate`],
    [
      rabbit('ssl = true', `ssl_key_file = ${file}`),
      `Option ssl_key_file ${group} ('${file}') is of no use without ssl_cert_file`,
    ],
    [rabbit('ssl = true', 'ssl_enforce_fips_mode = true'), `Option ssl_enforce_fips_mode ${group}: Node.js does not`],
    [
      `[DEFAULT]\ntransport_url = rabbit+ssl://h/?ssl_ca_file=/no/such.pem\n`,
      `Option ssl_ca_file of transport_url in [DEFAULT] of ${file} must be a file`,
    ],
    [
      rabbit('rabbit_ha_queues = true', 'rabbit_quorum_queue = true'),
      `Option rabbit_ha_queues ${group} is true, and so is rabbit_quorum_queue ${group}: a quorum queue is no mirrored queue`,
    ],
    [
      rabbit('enable_cancel_on_failover = true', 'rabbit_transient_quorum_queue = true'),
      `Option enable_cancel_on_failover ${group} is true, and so is rabbit_transient_quorum_queue ${group}: a quorum queue`,
    ],
    [
      rabbit('rabbit_stream_fanout = true'),
      `Option rabbit_stream_fanout ${group} is true, and needs rabbit_transient_quorum_queue to be true`,
    ],
    [
      rabbit('rabbit_stream_fanout = true', 'rabbit_transient_quorum_queue = true', 'rabbit_qos_prefetch_count = 0'),
      `Option rabbit_qos_prefetch_count ${group} must be above 0, not 0, as rabbit_stream_fanout ${group} is true`,
    ],
  ])('%j', (text, message) => {
    expect(ofBroker(text)).toContain(message);
  });

  it.each([
    [
      kafka('security_protocol = SSL', 'ssl_cafile = /no/such.pem'),
      `Option ssl_cafile in [oslo_messaging_kafka] of ${file} must be a file`,
    ],
    [
      kafka('security_protocol = SSL', `ssl_client_cert_file = ${file}`),
      `Options ssl_client_cert_file in [oslo_messaging_kafka] of ${file} ('${file}'): no certificates and key that fit`,
    ],
    [
      kafka('security_protocol = SASL_SSL'),
      `Option security_protocol in [oslo_messaging_kafka] of ${file}: SASL_SSL needs a user`,
    ],
  ])('of Kafka: %j', (text, message) => {
    expect(ofBroker(text, 'kafka://127.0.0.1:1/')).toContain(message);
  });

  it('of several that conflict, each where it stands', () => {
    write(rabbit('rabbit_ha_queues = true'));
    const other = write(rabbit('rabbit_quorum_queue = true'), join(directory, 'other.conf'));
    const { rabbit: options } = loadOsloConfig([file, other]);
    expect(refusalOf(() => createBroker('rabbit://h/', options))).toBe(
      `Option rabbit_ha_queues ${group} is true, and so is rabbit_quorum_queue in [oslo_messaging_rabbit] of ${other}: ` +
        'a quorum queue is no mirrored queue; set one of them',
    );
    expect(refusalOf(() => createBroker('rabbit://h/?rabbit_quorum_queue=true', { rabbitHaQueues: true }))).toContain(
      'Option rabbitHaQueues is true, and so is rabbit_quorum_queue of the transport URL:',
    );
  });
});

describe('in an application', () => {
  it('a file of the group, for notifications and for servers', async () => {
    const configFile = write(
      `[DEFAULT]\ntransport_url = rabbit://127.0.0.1:1/\n${rabbit('ssl = true', 'ssl_ca_file = /no/such.pem')}`,
    );
    const message = `Option ssl_ca_file in [oslo_messaging_rabbit] of ${file} must be a file`;
    expect(await ofModule({ configFile, driver: 'messagingv2' })).toContain(message);
    const server = new ServerOsloRpc({ configFile, topic: 't', logEvents: false });
    const failure = await new Promise((resolve) => server.listen(resolve));
    expect((failure as Error).message).toContain(message);
  });

  it('what is set in code is called as there', async () => {
    const configFile = write(rabbit('ssl = true', 'ssl_ca_file = /no/such.pem'));
    const options = { configFile, driver: 'messagingv2', sslCaFile: '/nor/this.pem' } as const;
    expect(await ofModule(options)).toMatch(/^Option sslCaFile must be a file .*\/nor\/this\.pem/);
  });

  it.each([
    ['routing_config = /no/such.yaml', "must be a file with routing rules, not '/no/such.yaml': Error: ENOENT"],
    [`routing_config = ${directory}/bad.yaml`, 'ConfigurationError: The routing config is no YAML: '],
    [`routing_config = ${directory}/odd.yaml`, "has an unknown key 'accepted_event'"],
  ])('routing rules: %s', async (line, message) => {
    write('a: [', join(directory, 'bad.yaml'));
    write('a: { log: { accepted_event: [x] } }', join(directory, 'odd.yaml'));
    const text = await ofModule({ configFile: write(notifications('driver = routing', line)) });
    expect(text).toContain(`Option routing_config in [oslo_messaging_notifications] of ${file} must be a file`);
    expect(text).toContain(message);
  });

  it.each([
    [
      ['driver = routing'],
      `Option driver in [oslo_messaging_notifications] of ${file}: 'routing' needs routing_config`,
    ],
    [['driver = log', 'topics = ,'], `topics in [oslo_messaging_notifications] of ${file} must be a list of names`],
  ])('notifications: %j', async (lines, message) => {
    expect(await ofModule({ configFile: write(notifications(...lines)) })).toContain(message);
  });
});

it('the query of one URL does not count for another', async () => {
  const configFile = write(
    `[DEFAULT]\ntransport_url = rabbit://rpc/?ssl=true&ssl_ca_file=/no/such.pem\n${rabbit('heartbeat_timeout_threshold = 7')}` +
      notifications('transport_url = memory://option-origins', 'driver = messagingv2'),
  );
  const testing = await Test.createTestingModule({
    imports: [OsloRpcModule.forRoot({ configFile }), NotificationModule.forRoot({ configFile })],
  }).compile();
  await testing.createNestApplication({ logger: false }).init();
  const server = new ServerOsloRpc({ configFile, transportUrl: 'memory://x', topic: 't', logEvents: false });
  const { options } = server as unknown as { options: { broker: object } };
  expect(options.broker).toEqual({ heartbeatTimeoutThreshold: 7 });
});
