import 'reflect-metadata';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, EventPattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { ClientOsloRpc, OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';

const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
const clientOf = (topic: string) =>
  ClientsModule.register([{ name: 'PEER', customClass: ClientOsloRpc, options: { transportUrl, topic } }]);
const serverOf = (topic: string, server: string) => ({
  strategy: new ServerOsloRpc({ transportUrl, topic, server }),
  logger: ['error', 'warn'] as ('error' | 'warn')[],
});

/** Program A: works on what it is told, and casts the result to the server that asked. */
@Controller()
class WorkerController {
  constructor(@Inject('PEER') private readonly requester: ClientOsloRpc) {}

  @EventPattern('resize')
  resize(@Payload() { image, replyTo }: { image: string; replyTo: string }) {
    console.log(`A: resizing ${image}`);
    return this.requester.emit({ method: 'resized', server: replyTo }, { image, width: 640 });
  }
}

@Module({ imports: [OsloRpcModule.forRoot(), clientOf('requester')], controllers: [WorkerController] })
class ProgramA {}

/** Program B: client and server at once; it goes on with other things until the result comes in. */
@Controller()
class RequesterController {
  private finish!: () => void;
  readonly finished = new Promise<void>((resolve) => (this.finish = resolve));

  constructor(@Inject('PEER') private readonly worker: ClientOsloRpc) {}

  ask(image: string): void {
    console.log(`B: please resize ${image}, and tell me at requester.b1`);
    this.worker.emit('resize', { image, replyTo: 'b1' });
  }

  @EventPattern('resized')
  resized(@Payload() { image, width }: { image: string; width: number }) {
    console.log(`B: ${image} is now ${width} pixels wide`);
    this.finish();
  }
}

@Module({ imports: [OsloRpcModule.forRoot(), clientOf('worker')], controllers: [RequesterController] })
class ProgramB {}

const a = await NestFactory.createMicroservice<MicroserviceOptions>(ProgramA, serverOf('worker', 'a1'));
const b = await NestFactory.createMicroservice<MicroserviceOptions>(ProgramB, serverOf('requester', 'b1'));
await Promise.all([a.listen(), b.listen()]);

const requester = b.get(RequesterController);
requester.ask('sunset.png');
await requester.finished;
await Promise.all([a.close(), b.close()]);
