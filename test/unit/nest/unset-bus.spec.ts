import { Logger, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClientOsloRpc, NotificationModule, OsloClient, OsloRpcModule, ServerOsloRpc } from '../../../lib/index.js';
import { moduleOf, newBusUrl } from './nest-apps.js';

/** What `process.env.URL` is when nobody has set it. */
const unset = { transportUrl: undefined };
const quiet = { logEvents: false, startup: 'background' } as const;

async function start(...imports: (ReturnType<typeof OsloRpcModule.forRoot> | Type)[]): Promise<void> {
  const app = await NestFactory.createApplicationContext(moduleOf({ imports }), { logger: false, abortOnError: false });
  onTestFinished(() => app.close());
}

const rpcRoot = () => OsloRpcModule.forRoot({ transportUrl: newBusUrl(), logEvents: false });
const notificationRoot = () => NotificationModule.forRoot({ transportUrl: newBusUrl(), logEvents: false });

describe('a transportUrl that is there and undefined is refused by', () => {
  it.each<[string, () => unknown]>([
    ['ServerOsloRpc', () => new ServerOsloRpc({ topic: 'conductor', ...unset })],
    ['ClientOsloRpc', () => new ClientOsloRpc({ topic: 'conductor', ...unset })],
    ['OsloClient', () => new OsloClient({ topic: 'conductor', ...unset })],
    ['OsloRpcModule.forRoot', () => OsloRpcModule.forRoot(unset)],
    ['OsloRpcModule.forRootAsync', () => start(OsloRpcModule.forRootAsync({ useFactory: () => unset }))],
    ['NotificationModule.forRoot', async () => start(NotificationModule.forRoot(unset))],
    ['NotificationModule.forRootAsync', () => start(NotificationModule.forRootAsync({ useFactory: () => unset }))],
    [
      'serve of OsloRpcModule.forRoot',
      async () => start(OsloRpcModule.forRoot({ transportUrl: newBusUrl(), serve: { topic: 'a', ...unset } })),
    ],
    [
      'OsloRpcModule.forFeature, beside a root that has one',
      async () => start(rpcRoot(), OsloRpcModule.forFeature([{ name: 'A', topic: 'a', ...unset }])),
    ],
    [
      'NotificationModule.forFeature, beside a root that has one',
      async () => start(notificationRoot(), NotificationModule.forFeature([{ name: 'A', ...unset }])),
    ],
  ])('%s', async (_name, make) => {
    await expect((async () => make())()).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringMatching(/option transportUrl is there, and undefined\. Is a variable .* not set\?/),
    });
  });

  it('nobody where the key is not there', () => {
    expect(() => new ClientOsloRpc({ topic: 'conductor' })).not.toThrow();
    expect(() => OsloRpcModule.forRoot({})).not.toThrow();
  });
});

it('a configFile that is there and undefined is refused where no URL stands beside it', () => {
  expect(() => new ServerOsloRpc({ configFile: undefined })).toThrow(/option configFile is there, and undefined/);
  expect(() => new ServerOsloRpc({ configFile: undefined, transportUrl: newBusUrl() })).not.toThrow();
});

it('an option that kafka does not have is refused, as one of RabbitMQ is', async () => {
  const options = { transportUrl: 'kafka://127.0.0.1:9092/', kafka: { compresionCodec: 'gzip' } as object };
  await expect(start(NotificationModule.forRoot(options))).rejects.toThrow('compresionCodec');
});

describe('forFeature', () => {
  const warned = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const lines = () => warned.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('forFeature'));
  beforeEach(() => void warned.mockClear());

  const client = { ...quiet, name: 'CONDUCTOR', topic: 'conductor' };
  const notifier = { ...quiet, name: 'AUDIT' };

  it.each<[string, () => Promise<void>]>([
    ['OsloRpcModule.forFeature: CONDUCTOR', () => start(OsloRpcModule.forFeature([client]))],
    ['NotificationModule.forFeature: AUDIT', () => start(NotificationModule.forFeature([notifier]))],
  ])('%s warns that nobody names a bus', async (place, make) => {
    await make();
    const module = place.slice(0, place.indexOf('.'));
    expect(lines()).toEqual([expect.stringContaining(`${place} has no transportUrl`)]);
    expect(lines().join()).toContain(`connects to guest at 127.0.0.1:5672`);
    expect(lines().join()).toContain(`${module}.forRoot({ transportUrl:`);
  });

  it('says nothing where it, or its root, names one', async () => {
    await start(OsloRpcModule.forFeature([{ ...client, transportUrl: newBusUrl() }]));
    await start(rpcRoot(), OsloRpcModule.forFeature([client]));
    await start(notificationRoot(), NotificationModule.forFeature([notifier]));
    expect(lines()).toEqual([]);
  });
});
