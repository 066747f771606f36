import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import {
  ANY_METHOD,
  connectBroker,
  ExpectedExceptions,
  InjectOsloClient,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcContext,
  OsloRpcModule,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
  type IncomingRequest,
  type RpcArguments,
} from 'nestjs-oslo-messaging';

const frontUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://front';
const backUrl = process.env.OSLO_BACK_TRANSPORT_URL ?? process.env.OSLO_TRANSPORT_URL ?? 'memory://back';
const front = { exchange: 'nova', topic: 'conductor' };
const back = { exchange: 'nova', topic: 'conductor_cell1' }; // fanouts go by the topic alone: on one bus it must differ

/** Passes on whatever is sent to its topic: calls, casts and fanouts, in any namespace and version. */
@OsloEndpoint()
class ProxyEndpoint {
  constructor(@InjectOsloClient('BACK') private readonly back: OsloClient) {}

  @OsloMethod({ name: ANY_METHOD })
  @ExpectedExceptions(Error) // they are those of the service behind, which has them in its log
  pass(@Payload() args: RpcArguments, @Ctx() request: OsloRpcContext) {
    const { clientTimeout: callMonitorTimeout, deadline, isFanout: fanout, method, namespace, version } = request;
    const timeout = deadline && Math.max(0.001, (deadline.getTime() - Date.now()) / 1000);
    const behind = this.back.prepare({ namespace, version, fanout, timeout, callMonitorTimeout });
    return request.isCall ? behind.call(method, args) : behind.cast(method, args);
  }
}

// Contexts go on by themselves on the same bus only, so that tokens stay there: here they are to go to another.
const behindIt = { ...back, name: 'BACK', transportUrl: backUrl, forwardContext: 'always' as const };
@Module({ imports: [OsloRpcModule.forRoot(), OsloRpcModule.forFeature([behindIt])], controllers: [ProxyEndpoint] })
class ProxyModule {}

const proxy = await NestFactory.createMicroservice<MicroserviceOptions>(ProxyModule, {
  strategy: new ServerOsloRpc({ transportUrl: frontUrl, ...front, server: 'proxy' }),
  logger: ['error', 'warn'],
});
await proxy.listen();

// Behind the proxy and before it: a service and its caller, neither of which notices.
const heard: string[] = [];
const note = (text: string) => console.log(`  behind: ${text} (${heard.push(text)})`);
const methods = {
  add: ({ a, b }: { a: number; b: number }, request: IncomingRequest) => {
    note(`add, for ${JSON.stringify(request.requestContext)}`);
    return a + b;
  },
  divide: () => Promise.reject(new RangeError('division by zero')),
  reload: (_args: object, { isFanout }: IncomingRequest) => note(isFanout ? 'reload, by fanout' : 'reload, by cast'),
};
const behind = await connectBroker(backUrl);
const service = new RpcServer(behind, { ...back, server: 'host1' }, [{ namespace: 'calc', version: '2.3', methods }]);
service.events.subscribe(() => {}); // the failure below would be printed as well
await service.start();

const before = await connectBroker(frontUrl);
const caller = new RpcClient(before, { ...front, namespace: 'calc', version: '2.1' });
console.log('a + b =', await caller.call('add', { a: 1, b: 2 }, { context: { user_id: 'u1' } }));
console.log('a / 0:', String(await caller.call('divide').catch((error: unknown) => error)));
await caller.cast('reload');
await caller.fanout('reload');
while (heard.length < 3) await new Promise((resolve) => setImmediate(resolve));
await caller.close();
await proxy.close();
await service.close();
await Promise.all([before.close(), behind.close()]);
