import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { getOsloClientToken, OsloClient, RemoteError, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { AppModule } from './app.module.js';

async function bootstrap() {
  const strategy = new ServerOsloRpc({ transportUrl: 'memory://', topic: 'volumes' });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy, logger: ['error'] });
  await app.listen();
  const volumes = app.get<OsloClient>(getOsloClientToken('VOLUMES'));
  const size = await volumes.call('size', { name: 'data' });
  const error: unknown = await volumes.call('size', { name: '' }).catch((thrown: unknown) => thrown);
  const refused = error instanceof RemoteError ? error.excType : String(error);
  process.stdout.write(`${JSON.stringify({ size, refused })}\n`);
  await app.close();
}
void bootstrap();
