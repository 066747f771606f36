import 'reflect-metadata';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, type MicroserviceOptions } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  InjectOsloClient,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcModule,
  ServerOsloRpc,
} from 'nestjs-oslo-messaging';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
const bus = { transportUrl, startup: 'fail-fast' as const, exchange: 'cinder', topic: 'volume' };

interface VolumeApi {
  get_volume(args: { id: string }): { id: string; bytes: bigint | number };
}

/** On the bus: what Python calls, too. Integers of any size arrive there exactly. */
@OsloEndpoint()
class VolumeEndpoint implements VolumeApi {
  @OsloMethod()
  get_volume(@Payload() { id }: { id: string }) {
    return { id, bytes: 2n ** 60n + 1n };
  }
}

/** Over HTTP: hands on what the bus answers. */
@Controller('volumes')
class VolumeController {
  constructor(@InjectOsloClient('VOLUME') private readonly volumes: OsloClient<VolumeApi>) {}

  @Get(':id')
  show(@Param('id') id: string) {
    return this.volumes.call('get_volume', { id });
  }
}

@Module({
  imports: [OsloRpcModule.forRoot(bus), OsloRpcModule.forFeature([{ name: 'VOLUME' }])],
  controllers: [VolumeController, VolumeEndpoint],
})
class AppModule {}

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: false });
app.connectMicroservice<MicroserviceOptions>({ strategy: new ServerOsloRpc(bus) });
await app.init(); // before the bus is served: else requests come in before onModuleInit has run
await app.startAllMicroservices();
await app.listen(0, '127.0.0.1');

const get = async (path: string) => {
  const response = await fetch(`${await app.getUrl()}${path}`);
  console.log(`GET ${path}: ${response.status} ${await response.text()}`);
};
console.log('JSON.stringify refuses the bigint that such a number arrives as:');
await get('/volumes/v1');

console.log('One line of Express decides how HTTP has it, here as text:');
app.set('json replacer', (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
await get('/volumes/v1');

await app.close();
