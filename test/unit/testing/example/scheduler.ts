import { Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { InjectOsloClient, OsloClient, OsloEndpoint, OsloMethod, OsloRpcModule } from 'nestjs-oslo-messaging';

export interface ComputeApi {
  free_memory(): number;
  boot(args: { instance: string }): void;
}

export class NoValidHost extends Error {}

@OsloEndpoint({ topic: 'scheduler', version: '1.0' })
class SchedulerEndpoint {
  constructor(@InjectOsloClient('COMPUTE') private readonly compute: OsloClient<ComputeApi>) {}

  @OsloMethod()
  async schedule(@Payload('instance') instance: string, @Payload('memory') memory: number) {
    if ((await this.compute.call('free_memory')) < memory) throw new NoValidHost(`no room for ${instance}`);
    await this.compute.cast('boot', { instance });
    return { scheduled: instance };
  }
}

@Module({
  imports: [
    OsloRpcModule.forRootAsync({
      useFactory: () => ({
        transportUrl: process.env['TRANSPORT_URL'] ?? 'rabbit://guest:guest@127.0.0.1:5672/',
        exchange: 'nova',
        timeout: 2,
      }),
    }),
    OsloRpcModule.forFeature([{ name: 'COMPUTE', topic: 'compute' }]),
  ],
  controllers: [SchedulerEndpoint],
})
export class SchedulerModule {}
