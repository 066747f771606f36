// This library as Nest's transport, all features at their defaults.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { firstValueFrom } from 'rxjs';
import { counter, notifications, target } from './oslo-core.mjs';
import { decorate, method } from './decorate.mjs';
import { EchoController } from './echo-controller.mjs';

const timeout = Number(process.env.OSLO_BENCH_TIMEOUT ?? 60);

export function nest(packageName) {
  return {
    async serve(transportUrl) {
      const oslo = await import(packageName);
      class EchoModule {}
      decorate(EchoModule, Module({ imports: [oslo.OsloRpcModule.forRoot()], controllers: [EchoController] }));
      const strategy = new oslo.ServerOsloRpc({ transportUrl, ...target, server: 'host' });
      const app = await NestFactory.createMicroservice(EchoModule, { strategy, logger: ['error'] });
      await app.listen();
      return { listen: (count) => listened(oslo, transportUrl, count) };
    },

    async connect(transportUrl) {
      const { ClientOsloRpc, NotificationModule, Notifier } = await import(packageName);
      const client = new ClientOsloRpc({ transportUrl, ...target, logEvents: false, timeout });
      await client.connect();
      class SendingModule {}
      const options = { transportUrl, ...notifications, publisherId: 'bench.host' };
      decorate(SendingModule, Module({ imports: [NotificationModule.forRoot(options)] }));
      const app = await NestFactory.createApplicationContext(SendingModule, { logger: ['error'] });
      const notifier = app.get(Notifier);
      return {
        call: (payload) => firstValueFrom(client.send('echo', payload)),
        cast: (payload) => firstValueFrom(client.emit('note', payload), { defaultValue: undefined }),
        notify: (payload) => notifier.info('bench.event', payload),
      };
    },
  };
}

async function listened({ NotificationModule, OnNotification }, transportUrl, count) {
  const told = counter(count);
  class Listener {
    onInfo() {
      told.one();
    }
  }
  class ListeningModule {}
  decorate(Listener, Injectable());
  method(Listener, 'onInfo', OnNotification('info'));
  const imports = [NotificationModule.forRoot({ transportUrl, ...notifications, publisherId: 'bench.host' })];
  decorate(ListeningModule, Module({ imports, providers: [Listener] }));
  const app = await NestFactory.createApplicationContext(ListeningModule, { logger: ['error'] });
  const result = await told.all;
  await app.close();
  return result;
}
