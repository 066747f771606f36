import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type ClientOsloRpcOptions,
  connectBroker,
  type IncomingRequest,
  OsloClient,
  OsloRpcRecordBuilder,
  RpcServer,
} from '../../../lib/index.js';
import { newBusUrl } from './nest-apps.js';

interface EchoApi {
  echo(args: { text: string }): { text: string };
  nothing(): void;
  fail(): void;
}

const transportUrl = newBusUrl();
const received = vi.fn<(request: IncomingRequest) => void>();

async function startServer(server = 'host1'): Promise<void> {
  received.mockClear();
  const broker = await connectBroker(transportUrl);
  const noted =
    (answer: (args: object) => unknown) =>
    (args: object, request: IncomingRequest): unknown => {
      received(request);
      return answer(args);
    };
  const methods = {
    echo: noted((args) => args),
    nothing: noted(() => undefined),
    fail: noted(() => {
      throw new RangeError('no');
    }),
  };
  const rpc = new RpcServer(broker, { topic: 'echo', server }, [{ version: '1.5', methods }]);
  await rpc.start();
  onTestFinished(async () => {
    await rpc.close();
    await broker.close();
  });
}

function newOsloClient(options: ClientOsloRpcOptions = {}): OsloClient<EchoApi> {
  const client = new OsloClient<EchoApi>({ transportUrl, topic: 'echo', logEvents: false, timeout: 3, ...options });
  onTestFinished(() => client.close());
  return client;
}

describe('OsloClient', () => {
  it('calls, casts and fans out', async () => {
    await startServer('host1');
    await startServer('host2');
    const client = newOsloClient();
    expect(await client.call('echo', { text: 'hi' })).toEqual({ text: 'hi' });
    expect(await client.call('nothing')).toBeNull();
    await client.prepare({ server: 'host2' }).cast('echo', { text: 'cast' });
    await vi.waitFor(() => expect(received).toHaveBeenCalledTimes(3));
    expect(received.mock.lastCall![0]).toMatchObject({ isCall: false, target: { server: 'host2' } });
    await client.fanout('echo', { text: 'all' });
    await vi.waitFor(() => expect(received).toHaveBeenCalledTimes(5));
    const fanouts = received.mock.calls.slice(3).map(([{ isFanout, target }]) => [isFanout, target.server]);
    expect(fanouts.sort()).toEqual([
      [true, 'host1'],
      [true, 'host2'],
    ]);
  });

  it('sends the context it is given, and ends at a signal', async () => {
    await startServer();
    const client = newOsloClient({ defaultContext: () => ({ user_id: 'default' }) });
    await client.call('nothing');
    await client.call('nothing', {}, { context: { user_id: 'u1' } });
    expect(received.mock.calls.map(([{ requestContext }]) => requestContext)).toEqual([
      { user_id: 'default' },
      { user_id: 'u1' },
    ]);
    const reason = new Error('enough');
    await expect(client.call('nothing', {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('takes records with context and timeout', async () => {
    const client = newOsloClient();
    const record = new OsloRpcRecordBuilder({ text: 'hi' }).setContext({ user_id: 'u1' }).setTimeout(0.5).build();
    // Of a topic that nobody serves: in a queue that is there it lives its 0.5 s from when it has come there.
    const nobody = client.prepare({ topic: 'nobody' });
    await expect(nobody.call('echo', record)).rejects.toThrow(/no answer within 0.5 s/);
    await startServer();
    expect(await client.call('echo', record)).toEqual({ text: 'hi' });
    expect(await client.proxy().echo(record)).toEqual({ text: 'hi' });
    await client.cast('echo', record);
    await vi.waitFor(() => expect(received).toHaveBeenCalledTimes(3));
    expect(received.mock.calls.map(([{ requestContext }]) => requestContext.user_id)).toEqual(['u1', 'u1', 'u1']);
  });

  it('counts replies, and knows what the version cap allows', async () => {
    await startServer();
    const client = newOsloClient({ version: '1.0', versionCap: '1.3' });
    expect(client.counters.replies).toBe(0);
    await client.call('nothing');
    expect(client.counters.replies).toBe(1);
    expect([client.canSendVersion(), client.canSendVersion('1.3'), client.canSendVersion('1.4')]).toEqual([
      true,
      true,
      false,
    ]);
    await expect(client.prepare({ version: '1.4' }).call('nothing')).rejects.toMatchObject({
      name: 'RpcVersionCapError',
    });
  });

  it.each([
    ['call', (client: OsloClient<EchoApi>) => client.call('fail')],
    ['prepare', (client: OsloClient<EchoApi>) => client.prepare({ timeout: 2 }).call('fail')],
    ['proxy', (client: OsloClient<EchoApi>) => client.proxy().fail()],
  ])('%s fails with an error whose stack starts at the line that called', async (_kind, call) => {
    await startServer();
    const error = await call(newOsloClient()).catch((failure: Error) => failure);
    expect(error).toMatchObject({ name: 'RemoteError', excType: 'ValueError' });
    expect((error as Error).stack?.split('\n')[1]).toContain('oslo-client.spec.ts');
  });

  it('refuses what comes after its end, used before or not, and harms nobody who does not wait', async () => {
    await startServer();
    const used = newOsloClient();
    await used.call('nothing');
    for (const client of [used, newOsloClient()]) {
      await Promise.all([client.close(), client.close()]);
      void client.cast('nothing');
      void client.fanout('nothing');
      await expect(client.call('nothing')).rejects.toMatchObject({ name: 'ClosedError' });
      await expect(client.cast('nothing')).rejects.toMatchObject({ name: 'ClosedError' });
      await expect(client.connect()).rejects.toMatchObject({ name: 'ClosedError' });
    }
  });
});

describe('a proxy', () => {
  it('calls the methods of the interface', async () => {
    await startServer();
    const proxy = newOsloClient().proxy();
    expect(await proxy.echo({ text: 'hi' })).toEqual({ text: 'hi' });
    expect(await proxy.nothing({}, { context: { user_id: 'u1' } })).toBeNull();
    expect(received.mock.lastCall![0].requestContext).toEqual({ user_id: 'u1' });
    expect(proxy.echo).toBe(proxy.echo);
  });

  it('sends nothing when it is awaited, shown, written as JSON, compared or a provider', async () => {
    await startServer();
    const client = newOsloClient();
    const proxy = client.proxy();
    expect(await Promise.resolve(proxy)).toBe(proxy);
    expect(inspect(proxy)).toContain('OsloProxy');
    expect(inspect(proxy, { showProxy: true })).toContain('OsloProxy');
    const anything: unknown = proxy;
    expect(`${String(anything)} ${JSON.stringify(proxy)}`).toBe('[object OsloProxy] {}');
    expect(proxy).not.toEqual({ echo: 1 });
    expect(Object.keys(proxy)).toEqual([]);
    for (const hook of ['onModuleInit', 'onApplicationShutdown']) expect(Reflect.get(proxy, hook)).toBeUndefined();
    await client.call('nothing');
    expect(received.mock.calls.map(([{ method }]) => method)).toEqual(['nothing']);
  });
});
