import { Controller, Module } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { NotificationModule, Notifier, OsloRpcContext, OsloRpcModule } from 'nestjs-oslo-messaging';
import { notifications } from './bus.js';

/** What the service throws arrives at the caller under its Python class. */
export class HostNotFound extends Error {
  constructor(readonly host: string) {
    super(`Host ${host} could not be found.`);
  }
}

@Controller()
class ConductorController {
  constructor(private readonly notifier: Notifier) {}

  @MessagePattern({ namespace: 'baseapi', method: 'ping', version: '1.1' })
  ping(@Payload() { arg }: { arg: string }, @Ctx() context: OsloRpcContext) {
    return { pong: arg, servedBy: context.target.server };
  }

  @MessagePattern('reload')
  reload(@Payload() { what }: { what: string }) {
    console.log(`    (server) reloading ${what}`);
  }

  @MessagePattern('find_host')
  findHost(@Payload() { host }: { host: string }) {
    throw new HostNotFound(host);
  }

  @MessagePattern('evacuate')
  async evacuate(@Payload() { host }: { host: string }) {
    await this.notifier.info('conductor.host.evacuated', { host });
  }
}

@Module({
  imports: [OsloRpcModule.forRoot(), NotificationModule.forRoot(notifications)],
  controllers: [ConductorController],
})
export class ServiceModule {}
