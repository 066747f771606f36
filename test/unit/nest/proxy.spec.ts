import { Ctx, Payload } from '@nestjs/microservices';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  ANY_METHOD,
  connectBroker,
  type IncomingRequest,
  InjectOsloClient,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcContext,
  OsloRpcModule,
  RemoteError,
  remoteFailureOf,
  RpcClient,
  type RpcHandler,
  RpcServer,
} from '../../../lib/index.js';
import { newBusUrl, rootModule, serve } from './nest-apps.js';

class HostNotFound extends Error {}

/** What a Python service sends when it fails. */
const failure = {
  excType: 'HostNotFound',
  module: 'nova.exception',
  message: 'Host n7 could not be found.',
  traceback: ['Traceback (most recent call last):\n', '  File "manager.py", line 7, in get\n'],
  args: ['n7', { nested: [1n << 70n] }],
  kwargs: { code: 404 },
};

/** A service on a bus behind, a proxy, and a caller on the bus before. */
async function proxied(methods: Record<string, RpcHandler>, remoteExceptions = {}) {
  const [front, back] = [newBusUrl(), newBusUrl()];

  @OsloEndpoint()
  class ProxyEndpoint {
    constructor(@InjectOsloClient('BACK') private readonly behind: OsloClient) {}

    @OsloMethod({ name: ANY_METHOD })
    pass(@Payload() args: Record<string, unknown>, @Ctx() request: OsloRpcContext) {
      const { isCall, isFanout: fanout, method, namespace, version } = request;
      const behind = this.behind.prepare({ fanout, namespace, version });
      return isCall ? behind.call(method, args) : behind.cast(method, args);
    }
  }

  const backBroker = await connectBroker(back);
  const service = new RpcServer(backBroker, { topic: 'conductor', server: 'host1' }, [
    { namespace: 'calc', version: '2.3', methods },
  ]);
  service.events.subscribe(() => undefined);
  await service.start();
  const feature = { name: 'BACK', transportUrl: back, topic: 'conductor', remoteExceptions };
  const imports = [OsloRpcModule.forFeature([{ ...feature, forwardContext: 'always', logEvents: false }])];
  await serve(rootModule([ProxyEndpoint], { imports }), { transportUrl: front });

  const broker = await connectBroker(front);
  onTestFinished(async () => {
    await service.close();
    await Promise.all([broker.close(), backBroker.close()]);
  });
  return new RpcClient(broker, { topic: 'conductor', namespace: 'calc', version: '2.1' }, { timeout: 3 });
}

it.each([
  ['unregistered', {}],
  ['registered at the proxy', { 'nova.exception.HostNotFound': HostNotFound }],
])('an error that is %s goes through unchanged', async (_name, remoteExceptions) => {
  const { message, traceback, ...others } = failure;
  const thrown = new RemoteError({ ...others, remoteMessage: message, remoteTraceback: traceback });
  const caller = await proxied({ get: () => Promise.reject(thrown) }, remoteExceptions);
  const error: unknown = await caller.call('get').catch((caught: unknown) => caught);
  expect(remoteFailureOf(error)).toEqual(failure);
});

it('the refusals of the service behind are those that its callers get', async () => {
  const caller = await proxied({});
  await expect(caller.call('absent')).rejects.toMatchObject({ name: 'NoSuchMethod', method: 'absent' });
  await expect(caller.prepare({ version: '3.0' }).call('absent')).rejects.toMatchObject({
    name: 'UnsupportedVersion',
    version: '3.0',
  });
});

it('calls, casts and fanouts go through as what they are, with arguments and context', async () => {
  const served = vi.fn<(...facts: unknown[]) => void>();
  const method: RpcHandler = (args, request: IncomingRequest) => {
    const { isCall, isFanout, requestContext, version } = request;
    served({ isCall, isFanout, version, args, requestContext });
    return args;
  };
  const caller = await proxied({ method });
  const args = { big: 2n ** 64n, none: null, list: [{ a: 'ü' }] };
  const options = { context: { user_id: 'u1', roles: ['admin'] } };
  expect(await caller.call('method', args, options)).toEqual(args);
  await caller.cast('method', args, options);
  await vi.waitFor(() => expect(served).toHaveBeenCalledTimes(2));
  await caller.fanout('method', args, options);
  await vi.waitFor(() => expect(served).toHaveBeenCalledTimes(3));
  const facts = { version: '2.1', args, requestContext: options.context };
  expect(served.mock.calls.flat()).toEqual([
    { ...facts, isCall: true, isFanout: false },
    { ...facts, isCall: false, isFanout: false },
    { ...facts, isCall: false, isFanout: true },
  ]);
});
