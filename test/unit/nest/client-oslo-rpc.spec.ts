import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ClientProxy, ClientsModule } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  ClientOsloRpc,
  connectBroker,
  type IncomingRequest,
  OsloRpcRecordBuilder,
  RpcClient,
  RpcServer,
} from '../../../lib/index.js';
import { createMemoryBus, type MemoryTestBus } from '../../../lib/testing/index.js';
import { eventsOf, newClient } from './nest-apps.js';

let bus: MemoryTestBus;
const received = vi.fn<(request: IncomingRequest) => void>();

/** A server without Nest that answers `echo` with its arguments, and `never` not at all. */
async function startEcho(server = 'host1'): Promise<void> {
  const broker = await connectBroker(bus.url);
  const echo = (args: object, request: IncomingRequest): object => {
    received(request);
    return args;
  };
  const endpoint = {
    version: '1.5',
    methods: {
      echo,
      nothing: () => undefined,
      never: () => new Promise(() => undefined),
      fail: () => {
        throw new RangeError('no');
      },
    },
  };
  const rpc = new RpcServer(
    broker,
    { topic: 'conductor', server },
    [endpoint, { ...endpoint, namespace: 'baseapi' }, { ...endpoint, topic: 'scheduler', exchange: 'cinder' }],
    { shutdownTimeoutMs: 1 },
  );
  await rpc.start();
  onTestFinished(async () => {
    await rpc.close();
    await broker.close();
  });
}

beforeEach(() => {
  bus = createMemoryBus();
  received.mockClear();
});

const clientOn = (options = {}): ClientOsloRpc => newClient({ transportUrl: bus.url, ...options });
const lastRequest = (): IncomingRequest => received.mock.lastCall![0];

describe('send', () => {
  it('is cold: nothing is sent before somebody subscribes, and once for each', async () => {
    await startEcho();
    const client = clientOn();
    const answer = client.send('echo', { a: 1 });
    await client.connect();
    await lastValueFrom(client.send('nothing', {}));
    expect(received).not.toHaveBeenCalled();
    expect(await lastValueFrom(answer)).toEqual({ a: 1 });
    expect(await lastValueFrom(answer)).toEqual({ a: 1 });
    expect(received).toHaveBeenCalledTimes(2);
  });

  it('emits null for no result', async () => {
    await startEcho();
    expect(await firstValueFrom(clientOn().send('nothing', {}))).toBeNull();
  });

  it('fills in what the pattern leaves open, and takes what it names', async () => {
    await startEcho();
    const client = clientOn({ namespace: 'baseapi', version: '1.1' });
    await lastValueFrom(client.send('echo', {}));
    expect(lastRequest()).toMatchObject({ namespace: 'baseapi', version: '1.1' });
    await lastValueFrom(
      client.send(
        {
          method: 'echo',
          namespace: null,
          version: '1.4',
          topic: 'scheduler',
          exchange: 'cinder',
          server: 'host1',
          callMonitorTimeout: 9,
        },
        {},
      ),
    );
    expect(lastRequest()).toMatchObject({ namespace: null, version: '1.4', clientTimeout: 9 });
    expect(lastRequest().target).toMatchObject({ exchange: 'cinder', topic: 'scheduler', server: 'host1' });
    expect(lastRequest().delivery.routingKey).toBe('scheduler.host1');
  });

  it.each([[undefined], [null], ['']])('takes %j for no arguments', async (data) => {
    await startEcho();
    expect(await lastValueFrom(clientOn().send('echo', data))).toEqual({});
  });

  it.each([[[1, 2]], ['text'], [5], [new Date(0)], [new Map()], [Buffer.from('x')]])(
    'refuses %j, which are no keyword arguments',
    async (data) => {
      await expect(lastValueFrom(clientOn().send('echo', data))).rejects.toMatchObject({
        name: 'MalformedMessage',
        message: expect.stringContaining('keyword arguments'),
      });
    },
  );

  it.each([['not.a.method'], [{ cmd: 'sum' }], [null], [5], [{ method: 5 }]])(
    'refuses the pattern %j, which names no method',
    async (pattern) => {
      await expect(lastValueFrom(clientOn().send(pattern, {}))).rejects.toMatchObject({ name: 'InvalidTarget' });
    },
  );

  it('refuses a call to everybody', async () => {
    await expect(lastValueFrom(clientOn().send({ method: 'echo', fanout: true }, {}))).rejects.toMatchObject({
      name: 'InvalidTarget',
    });
  });

  it('forgets the call when it is unsubscribed', async () => {
    await startEcho();
    const client = clientOn();
    await lastValueFrom(client.send('echo', {}));
    const counter = new RpcClient(client.unwrap(), { topic: 'conductor' });
    onTestFinished(() => counter.close());
    const told = vi.fn<() => void>();
    const subscription = client.send('never', {}).subscribe({ next: told, error: told, complete: told });
    expect(counter.pendingCalls).toBe(1);
    subscription.unsubscribe();
    expect(counter.pendingCalls).toBe(0);
    expect(told).not.toHaveBeenCalled();
  });

  it('times out when nobody answers, by the pattern or the record', async () => {
    const client = clientOn({ timeout: 60 });
    const timeout = 0.05;
    await expect(lastValueFrom(client.send({ method: 'echo', timeout }, {}))).rejects.toMatchObject({
      name: 'MessagingTimeout',
    });
    const record = new OsloRpcRecordBuilder({}).setTimeout(timeout).build();
    await expect(lastValueFrom(client.send('echo', record))).rejects.toMatchObject({ name: 'MessagingTimeout' });
  });

  it('fails at once where nobody is, with atLeastOnce', async () => {
    await expect(lastValueFrom(clientOn().send({ method: 'echo', atLeastOnce: true }, {}))).rejects.toMatchObject({
      name: 'MessageUndeliverable',
    });
  });

  it('sends the context of a record', async () => {
    await startEcho();
    const record = new OsloRpcRecordBuilder({ arg: 1 }).setContext({ user_id: 'u1' }).build();
    expect(await lastValueFrom(clientOn().send('echo', record))).toEqual({ arg: 1 });
    expect(lastRequest().requestContext).toEqual({ user_id: 'u1' });
  });

  it('rejects with an error whose stack starts at the line that sent', async () => {
    await startEcho();
    const error = await lastValueFrom(clientOn().send('fail', {})).catch((e: Error) => e);
    expect(error).toMatchObject({ name: 'RemoteError', excType: 'ValueError' });
    expect((error as Error).stack?.split('\n')[1]).toContain('client-oslo-rpc.spec.ts');
  });
});

describe('emit', () => {
  it('is hot: sent without a subscriber, and once for any number', async () => {
    await startEcho();
    const client = clientOn();
    const sent = client.emit('echo', { a: 1 });
    sent.subscribe();
    sent.subscribe();
    await vi.waitFor(() => expect(received).toHaveBeenCalled());
    await lastValueFrom(client.send('echo', {}));
    expect(received).toHaveBeenCalledTimes(2);
    expect(received.mock.calls[0]![0]).toMatchObject({ isCall: false, args: { a: 1 } });
  });

  it('completes when the broker has the message', async () => {
    await startEcho();
    expect(await firstValueFrom(clientOn().emit('echo', {}))).toBeUndefined();
  });

  it('reaches every server with fanout', async () => {
    await startEcho('host1');
    await startEcho('host2');
    await firstValueFrom(clientOn().emit({ method: 'echo', fanout: true }, {}));
    await vi.waitFor(() => expect(received).toHaveBeenCalledTimes(2));
    expect(received.mock.calls.map(([request]) => request.target.server).sort()).toEqual(['host1', 'host2']);
    expect(lastRequest().isFanout).toBe(true);
  });

  it('reports a failure that nobody subscribed to, and tells it to who did', async () => {
    const client = clientOn();
    const events = eventsOf(client);
    const pattern = { method: 'echo', atLeastOnce: true };
    client.emit(pattern, {});
    await vi.waitFor(() => expect(events).toContainEqual(expect.objectContaining({ type: 'send-failed' })));
    await expect(firstValueFrom(client.emit(pattern, {}))).rejects.toMatchObject({ name: 'MessageUndeliverable' });
  });
});

describe('connecting and closing', () => {
  it('ends pending calls with ClosedError, and refuses new ones', async () => {
    await startEcho();
    const client = clientOn();
    const pending = lastValueFrom(client.send('never', {}));
    const [failed] = await Promise.allSettled([pending, client.close(), client.close()]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { name: 'ClosedError' } });
    await expect(lastValueFrom(client.send('echo', {}))).rejects.toMatchObject({ name: 'ClosedError' });
    await expect(firstValueFrom(client.emit('echo', {}))).rejects.toMatchObject({ name: 'ClosedError' });
    await expect(client.connect()).rejects.toMatchObject({ name: 'ClosedError' });
  });

  it('brings out what was emitted before', async () => {
    await startEcho();
    const client = clientOn();
    await client.connect();
    for (let n = 0; n < 20; n += 1) client.emit('echo', { n });
    await client.close();
    await vi.waitFor(() => expect(received).toHaveBeenCalledTimes(20));
  });

  it('can be closed before it was used', async () => {
    await expect(clientOn().close()).resolves.toBeUndefined();
  });

  it('shows its status and tells its events to listeners of before the connection', async () => {
    const client = clientOn();
    const states: string[] = [];
    client.status.subscribe((status) => states.push(status));
    const changed = vi.fn<(event: unknown) => void>();
    client.on('connection-changed', changed);
    await client.connect();
    expect(client.unwrap()).toMatchObject({ state: 'connected' });
    await client.close();
    expect(states).toEqual(['connecting', 'connected', 'closed']);
    expect(changed).toHaveBeenCalledWith(expect.objectContaining({ to: 'connected' }));
  });

  it('refuses a transport URL that it does not understand at once', () => {
    expect(() => new ClientOsloRpc({ transportUrl: 'zmq://host' })).toThrow(/Invalid transport URL/);
  });

  it('is a custom class for ClientsModule, which closes it with the application', async () => {
    await startEcho();
    @Injectable()
    class Caller {
      constructor(@Inject('CONDUCTOR') readonly client: ClientProxy) {}
    }
    const options = { transportUrl: bus.url, topic: 'conductor', logEvents: false };
    const module = await Test.createTestingModule({
      imports: [ClientsModule.register([{ name: 'CONDUCTOR', customClass: ClientOsloRpc, options }])],
      providers: [Caller],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    const { client } = app.get(Caller);
    expect(await lastValueFrom(client.send('echo', { a: 1 }))).toEqual({ a: 1 });
    await app.close();
    await expect(lastValueFrom(client.send('echo', {}))).rejects.toMatchObject({ name: 'ClosedError' });
  });
});
