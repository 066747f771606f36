import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { OsloEndpoint, OsloMethod, OsloRpcContext, OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';

/** A line of what happened in this process, for the test that has started it. */
export type ServiceReport =
  | { what: 'destroyed'; atWork: number }
  | { what: 'ready' }
  | { what: 'ran'; method: string; id: number; fanout: boolean };

function report(line: ServiceReport): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What handlers need to the end, as a database is. */
@Injectable()
class Database implements OnModuleDestroy {
  atWork = 0;
  open = true;

  async write(): Promise<void> {
    this.atWork += 1;
    await delay(30);
    if (!this.open) throw new Error('the database is closed');
    this.atWork -= 1;
  }

  onModuleDestroy(): void {
    this.open = false;
    report({ what: 'destroyed', atWork: this.atWork });
  }
}

@OsloEndpoint()
class WorkEndpoint {
  constructor(private readonly database: Database) {}

  @OsloMethod()
  async work(@Payload('id') id: number, @Ctx() { isFanout, method }: OsloRpcContext) {
    await this.database.write();
    report({ what: 'ran', method, id, fanout: isFanout });
    return id;
  }
}

@Module({ imports: [OsloRpcModule.forRoot()], controllers: [WorkEndpoint], providers: [Database] })
class ServiceModule {}

const [transportUrl, server, form] = process.argv.slice(2);
const strategy = new ServerOsloRpc({ transportUrl, server, topic: 'work', executorThreadPoolSize: 4 });

if (form === 'hybrid') {
  const app = await NestFactory.create(ServiceModule, { logger: ['error'] });
  app.enableShutdownHooks();
  app.connectMicroservice<MicroserviceOptions>({ strategy });
  await app.listen(0, '127.0.0.1');
  await app.startAllMicroservices();
} else {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(ServiceModule, { strategy, logger: ['error'] });
  app.enableShutdownHooks();
  await app.listen();
}
report({ what: 'ready' });
