// Nest's own RabbitMQ transport, with the one option that makes it fast.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { decorate } from './decorate.mjs';
import { EchoController } from './echo-controller.mjs';

class EchoModule {}
decorate(EchoModule, Module({ controllers: [EchoController] }));

const optionsOf = (url) => ({
  transport: Transport.RMQ,
  options: {
    urls: [url.replace('rabbit://', 'amqp://')],
    queue: 'bench_nest_rmq',
    queueOptions: { durable: false },
    socketOptions: { connectionOptions: { noDelay: true } },
  },
});

export async function serve(url) {
  const app = await NestFactory.createMicroservice(EchoModule, { ...optionsOf(url), logger: ['error'] });
  await app.listen();
  return {};
}

export async function connect(url) {
  const client = ClientProxyFactory.create(optionsOf(url));
  await client.connect();
  return {
    call: (payload) => firstValueFrom(client.send('echo', payload)),
    cast: (payload) => firstValueFrom(client.emit('note', payload), { defaultValue: undefined }),
  };
}
