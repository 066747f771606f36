import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload,
  Transport,
  type MicroserviceOptions,
  type RmqOptions,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import type { Variant } from '../variant.js';

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(@Payload() args: object): object {
    return args;
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

const optionsOf = (url: string): RmqOptions => ({
  transport: Transport.RMQ,
  options: { urls: [url.replace('rabbit://', 'amqp://')], queue: 'bench_nest_rmq', queueOptions: { durable: false } },
});

/** Nest's own RabbitMQ transport, as its documentation sets it up. */
export const nestRmq: Variant = {
  async serve(url) {
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, {
      ...optionsOf(url),
      logger: ['error'],
    });
    await app.listen();
  },

  async connect(url) {
    const client = ClientProxyFactory.create(optionsOf(url));
    await client.connect();
    return { echo: (payload) => firstValueFrom(client.send<unknown>('echo', payload)) };
  },
};
