import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { ServerOsloRpc } from 'nestjs-oslo-messaging';
import { rpc, transportUrl } from './bus.js';
import { Caller, ClientModule } from './client.js';
import { HostNotFound, ServiceModule } from './service.js';

const service = await NestFactory.createMicroservice<MicroserviceOptions>(ServiceModule, {
  strategy: new ServerOsloRpc({
    ...rpc,
    server: 'host1',
    pythonExceptions: [[HostNotFound, 'nova.exception.HostNotFound']],
  }),
  logger: false, // else it would tell of the failing call as well
});
await service.listen();
const application = await NestFactory.createApplicationContext(ClientModule, { logger: ['error', 'warn'] });

console.log(`A Nest service and its client on ${transportUrl.replace(/\/\/.*@/, '//')}`);
await application.get(Caller).talk();
await application.close();
await service.close();
