import { Inject, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { NotificationModule, Notifier, OsloRpcModule } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
const nobodyThere = 'rabbit://guest:guest@127.0.0.1:1/';

/** Starts in vain; how many connections the broker has seen, when all of them have ended. */
async function failStart(metadata: (transportUrl: string) => ModuleMetadata): Promise<number> {
  const proxy = await AmqpProxy.start(vhost.address);
  class App {}
  Module(metadata(vhost.urlVia(proxy)))(App);
  const starting = NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  await expect(starting).rejects.toThrow();
  await eventually(() => proxy.open === 0);
  const { accepted } = proxy;
  await proxy.close();
  return accepted;
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
    const accepted = await failStart((transportUrl) => ({
      imports: [NotificationModule.forRoot({ transportUrl, logEvents: false })],
      providers: [Bad],
    }));
    expect(accepted).toBe(0);
  });

  it('NotificationModule is there twice', async () => {
    const accepted = await failStart((transportUrl) => ({
      imports: [
        NotificationModule.forRoot({ transportUrl, logEvents: false }),
        NotificationModule.forRoot({ transportUrl, logEvents: false, topics: ['b'] }),
      ],
    }));
    expect(accepted).toBe(0);
  });

  it('one of several clients cannot connect', async () => {
    await failStart((transportUrl) => ({
      imports: [
        OsloRpcModule.forRoot({ transportUrl, logEvents: false }),
        OsloRpcModule.forFeature([{ name: 'A', topic: 'l1' }]),
        OsloRpcModule.forFeature([{ name: 'B', topic: 'l1', transportUrl: nobodyThere, startup: 'fail-fast' }]),
      ],
    }));
  });

  it('the notifier cannot connect, and clients could', async () => {
    await failStart((transportUrl) => ({
      imports: [
        OsloRpcModule.forRoot({ transportUrl, logEvents: false }),
        OsloRpcModule.forFeature([{ name: 'A', topic: 'l1' }]),
        NotificationModule.forRoot({ transportUrl: nobodyThere, startup: 'fail-fast', logEvents: false }),
      ],
    }));
  });
});
