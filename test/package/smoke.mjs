// A Nest application as its users write it, on the embedded bus; run where the packed package is installed, as a module and,
// compiled, as a script. Ours comes before Nest on purpose: it must not depend on what was loaded first.
import 'reflect-metadata';
import * as oslo from 'nestjs-oslo-messaging';
import { createMemoryBus } from 'nestjs-oslo-messaging/testing';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

const { url: transportUrl } = createMemoryBus();
const bus = { transportUrl, exchange: 'nova', topic: 'conductor', logEvents: false };
const heard = [];

function decorate(type, method, decorators, ...parameters) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  parameters.forEach((parameter, index) => parameter(type.prototype, method, index));
  for (const decorator of decorators) decorator(type.prototype, method, descriptor);
}

class Conductor {
  constructor(notifier) {
    this.notifier = notifier;
  }

  async ping({ arg }, context) {
    await this.notifier.info('conductor.ping', { arg });
    return `pong ${arg} ${context.method}`;
  }

  fail() {
    throw new RangeError('too far');
  }
}
Inject(oslo.Notifier)(Conductor, undefined, 0);
decorate(Conductor, 'ping', [MessagePattern({ method: 'ping', version: '1.1' })], Payload(), Ctx());
decorate(Conductor, 'fail', [MessagePattern({ method: 'fail' })]);
Controller()(Conductor);

class Listeners {
  onInfo(payload) {
    heard.push(payload);
  }
}
decorate(Listeners, 'onInfo', [oslo.OnNotification('info')], Payload());

class App {}
Module({
  imports: [
    oslo.OsloRpcModule.forRoot(bus),
    oslo.OsloRpcModule.forFeature([{ name: 'CONDUCTOR', version: '1.0' }]),
    oslo.NotificationModule.forRoot({ transportUrl, exchange: 'nova', logEvents: false }),
    ClientsModule.register([{ name: 'PROXY', customClass: oslo.ClientOsloRpc, options: bus }]),
  ],
  controllers: [Conductor],
  providers: [Listeners],
})(App);

async function main() {
  const strategy = new oslo.ServerOsloRpc({ ...bus, server: 'host1' });
  const app = await NestFactory.createMicroservice(App, { strategy, logger: false });
  await app.listen();
  const client = app.get(oslo.getOsloClientToken('CONDUCTOR'), { strict: false });
  const proxy = app.get('PROXY', { strict: false });
  const answers = [
    await client.call('ping', { arg: 'a' }),
    await firstValueFrom(proxy.send({ method: 'ping', version: '1.1' }, { arg: 'b' })),
    await client.call('fail').catch((error) => `${error.name} ${error.excType} ${error.remoteMessage}`),
  ];
  while (heard.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await app.close();
  process.stdout.write(JSON.stringify({ answers, heard }));
}

void main();
