import { Inject, Module } from '@nestjs/common';
import { ClientsModule, Ctx, Payload } from '@nestjs/microservices';
import {
  ClientOsloRpc,
  NotificationModule,
  OnNotification,
  OsloNotificationContext,
  RemoteError,
} from 'nestjs-oslo-messaging';
import { firstValueFrom } from 'rxjs';
import { notifications, rpc } from './bus.js';

/** Calls the service, and listens to it. */
export class Caller {
  private hear = (): void => undefined;

  constructor(@Inject('CONDUCTOR') private readonly conductor: ClientOsloRpc) {}

  @OnNotification('info', { eventType: 'conductor.host.*' })
  onHost(@Payload() payload: unknown, @Ctx() { eventType, publisherId }: OsloNotificationContext) {
    console.log(`    (listener) ${publisherId} says ${eventType}:`, payload);
    this.hear();
  }

  async talk(): Promise<void> {
    console.log('call: one server of the topic answers');
    const ping = { namespace: 'baseapi', method: 'ping', version: '1.0' };
    console.log('   ', await firstValueFrom(this.conductor.send(ping, { arg: 'hello' })));

    console.log('cast: one server works, nobody waits for an answer');
    await firstValueFrom(this.conductor.emit('reload', { what: 'the flavors' }), { defaultValue: null });

    console.log('fanout: every server of the topic works');
    await firstValueFrom(this.conductor.emit({ method: 'reload', fanout: true }, { what: 'everything' }), {
      defaultValue: null,
    });

    console.log('a failing call: the error keeps its class on the way');
    const failure: unknown = await firstValueFrom(this.conductor.send('find_host', { host: 'n7' })).catch((e) => e);
    if (failure instanceof RemoteError) console.log(`    ${failure.excType}: ${failure.remoteMessage}`);

    console.log('a notification: the service tells whoever listens');
    const heard = new Promise<void>((resolve) => (this.hear = resolve));
    await firstValueFrom(this.conductor.send('evacuate', { host: 'host7' }));
    await heard;
  }
}

const conductor = { name: 'CONDUCTOR', customClass: ClientOsloRpc, options: rpc };
@Module({
  imports: [ClientsModule.register([conductor]), NotificationModule.forRoot(notifications)],
  providers: [Caller],
})
export class ClientModule {}
