import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { ClientOsloRpc, OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { firstValueFrom } from 'rxjs';
import type { Variant } from '../variant.js';

const target = { exchange: 'bench', topic: 'bench_nest' };

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(@Payload() args: object): object {
    return args;
  }
}

@Module({ imports: [OsloRpcModule.forRoot()], controllers: [EchoController] })
class EchoModule {}

/** This library as Nest's transport, on both ends. */
export const nest: Variant = {
  async serve(transportUrl) {
    const strategy = new ServerOsloRpc({ transportUrl, ...target, server: 'bench' });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, { strategy, logger: ['error'] });
    await app.listen();
  },

  async connect(transportUrl) {
    const client = new ClientOsloRpc({ transportUrl, ...target, logEvents: false });
    await client.connect();
    return { echo: (payload) => firstValueFrom(client.send('echo', payload)) };
  },
};
