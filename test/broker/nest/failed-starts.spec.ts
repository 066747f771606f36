import { Inject, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { NotificationModule, Notifier, OsloRpcModule } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
const nobodyThere = 'rabbit://guest:guest@127.0.0.1:1/';

/** Starts in vain; why, and how many connections the broker has seen, when all of them have ended. */
async function failStart(
  metadata: (transportUrl: string) => ModuleMetadata,
): Promise<{ accepted: number; reason: unknown }> {
  const proxy = await AmqpProxy.start(vhost.address);
  class App {}
  Module(metadata(vhost.urlVia(proxy)))(App);
  const starting = NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const reason = await starting.then(
    () => 'started',
    (error: unknown) => String(error),
  );
  await eventually(() => proxy.open === 0);
  const { accepted } = proxy;
  await proxy.close();
  return { accepted, reason };
}

describe('a start that fails leaves no connection behind:', () => {
  it('a provider elsewhere throws while the application is built', async () => {
    class Bad {
      constructor() {
        throw new Error('provider failed');
      }
    }
    Inject(Notifier)(Bad, undefined, 0);
    Injectable()(Bad);
    const { accepted, reason } = await failStart((transportUrl) => ({
      imports: [NotificationModule.forRoot({ transportUrl, logEvents: false })],
      providers: [Bad],
    }));
    expect([accepted, reason]).toEqual([0, 'Error: provider failed']);
  });

  it('NotificationModule is there twice', async () => {
    const { accepted, reason } = await failStart((transportUrl) => ({
      imports: [
        NotificationModule.forRoot({ transportUrl, logEvents: false }),
        NotificationModule.forRoot({ transportUrl, logEvents: false, topics: ['b'] }),
      ],
    }));
    expect([accepted, reason]).toEqual([0, expect.stringContaining('once in an application')]);
  });

  it('one of several clients cannot connect', async () => {
    const { reason } = await failStart((transportUrl) => ({
      imports: [
        OsloRpcModule.forRoot({ transportUrl, logEvents: false }),
        OsloRpcModule.forFeature([{ name: 'A', topic: 'l1' }]),
        OsloRpcModule.forFeature([{ name: 'B', topic: 'l1', transportUrl: nobodyThere, startup: 'fail-fast' }]),
      ],
    }));
    expect(reason).toContain('ECONNREFUSED');
  });

  it('the notifier cannot connect, and clients could', async () => {
    const { reason } = await failStart((transportUrl) => ({
      imports: [
        OsloRpcModule.forRoot({ transportUrl, logEvents: false }),
        OsloRpcModule.forFeature([{ name: 'A', topic: 'l1' }]),
        NotificationModule.forRoot({ transportUrl: nobodyThere, startup: 'fail-fast', logEvents: false }),
      ],
    }));
    expect(reason).toContain('ECONNREFUSED');
  });
});
