import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import zlib from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { seamOf } from '../../../lib/broker/broker.js';
import { eventually } from '../../support/eventually.js';
import { KafkaBroker } from '../../../lib/broker/kafka/kafka-broker.js';
import { resolveRabbitOptions } from '../../../lib/config/rabbit-options.js';
import { parseTransportUrl } from '../../../lib/config/transport-url.js';
import type { MessagingEvent } from '../../../lib/events/messaging-event.js';
import {
  ClientOsloRpc,
  ConfigurationError,
  createBroker,
  NotificationListener,
  NotifierCore,
  OsloRpcModule,
  type RabbitOptions,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
} from '../../../lib/index.js';

const NOWHERE = 'kafka://127.0.0.1:1/';
const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close();
});

function broker(options: RabbitOptions = {}, url = NOWHERE) {
  const made = createBroker(url, options);
  made.events.subscribe(() => undefined);
  closing.push(made);
  return made;
}

it('RPC over Kafka is refused, wherever it is asked for', () => {
  const text = /Kafka carries notifications alone/;
  expect(() => new RpcClient(broker(), { topic: 't' })).toThrow(text);
  expect(() => new RpcServer(broker(), { topic: 't', server: 's' }, [])).toThrow(text);
  expect(() => new ServerOsloRpc({ transportUrl: NOWHERE, topic: 't' })).toThrow(text);
  expect(() => new ClientOsloRpc({ transportUrl: NOWHERE, topic: 't' })).toThrow(text);
  expect(() => OsloRpcModule.forRoot({ transportUrl: NOWHERE })).toThrow(text);
});

it('a listener that would requeue is refused', () => {
  const registration = { priorities: 'info', allowRequeue: true, handler: () => undefined } as const;
  expect(() => new NotificationListener(broker(), [registration])).toThrow(ConfigurationError);
  expect(() => new NotificationListener(broker(), [registration])).toThrow(/allowRequeue/);
});

it.each([
  [{ securityProtocol: 'SASL_SSL' }, /needs a user and a password in the URL/],
  [
    { securityProtocol: 'SSL', sslCafile: '/no/such/file.pem' },
    /Option sslCafile must be a file that can be read: Error: ENOENT/,
  ],
] as const)('options that cannot be used are refused at once: %j', (kafka, message) => {
  expect(() => createBroker(NOWHERE, { kafka })).toThrow(ConfigurationError);
  expect(() => createBroker(NOWHERE, { kafka })).toThrow(message);
});

it('certificates that are none are refused at once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'oslo-kafka-pem-'));
  const file = join(directory, 'ca.pem');
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const options = { kafka: { securityProtocol: 'SSL', sslClientCertFile: file } } as const;
  expect(() => createBroker(NOWHERE, options)).toThrow(ConfigurationError);
  rmSync(directory, { recursive: true });
});

it('zstd is taken where Node.js has it', () => {
  const make = (): unknown => broker({ kafka: { compressionCodec: 'zstd' } });
  if ('zstdCompressSync' in zlib) expect(make()).toBeDefined();
  else expect(make).toThrow(/zstd needs Node.js 22.15/);
});

it('shows no password', () => {
  const made = broker({ kafka: { securityProtocol: 'SASL_PLAINTEXT' } }, 'kafka://u:geheim@127.0.0.1:1/');
  expect(made.url).toBe('kafka://u:***@127.0.0.1:1/');
  expect(inspect(made, { depth: 10 })).not.toContain('geheim');
});

it('without its client everything says what to install, and nothing is tried again', async () => {
  const missing = Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' });
  let loads = 0;
  const load = (): Promise<never> => {
    loads += 1;
    return Promise.reject(new ConfigurationError('npm install it', undefined, { cause: missing }));
  };
  const made = new KafkaBroker(parseTransportUrl(NOWHERE), resolveRabbitOptions(), 'at once', load);
  closing.push(made);
  const events: MessagingEvent[] = [];
  made.events.subscribe((event) => void events.push(event));
  await expect(made.connected()).rejects.toThrow(ConfigurationError);
  const notifier = new NotifierCore(made, {});
  await expect(notifier.info('a', {})).rejects.toThrow(/npm install it/);
  const listener = new NotificationListener(made, [{ priorities: 'info', handler: () => undefined }]);
  await expect(listener.start()).rejects.toThrow(/npm install it/);
  expect(events.filter(({ type }) => type === 'start-failed')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'connection-changed' && type.includes('publish'))).toEqual([]);
  expect(loads).toBe(1);
});

it('whoever is late joins nothing afterwards, and others of the same group go on waiting', async () => {
  const made = seamOf(broker());
  const consume = (queue: string, giveUpMs?: number) => {
    const binding = { kind: 'binding', queue, exchange: 'nova', routingKey: queue } as const;
    const outcome = made
      .consume({ topology: [binding], queues: [queue], prefetch: 1, onDeliveries: () => undefined, giveUpMs })
      .catch((error: unknown) => error);
    return outcome as Promise<Error>;
  };
  const attempts: string[] = [];
  made.events.subscribe(({ type, message }) => void (type === 'connection-changed' && attempts.push(message)));
  const [hasty, patient] = [consume('audit.info', 0), consume('audit.error')];
  expect(await hasty).toMatchObject({ code: 'OSLO_DELIVERY' });
  const before = attempts.length;
  await eventually(() => attempts.slice(before).some((text) => text.startsWith("Joining Kafka's group")));
  expect(attempts.slice(before).filter((text) => text.includes('audit.info'))).toEqual([]);
  await made.close();
  expect(await patient).toMatchObject({ code: 'OSLO_CLOSED' });
});
