import { Controller, Get, Inject, Injectable, type Type } from '@nestjs/common';
import { ClientsModule, Ctx, MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { concat, defer, delay, firstValueFrom, lastValueFrom, mergeMap, of, tap, toArray } from 'rxjs';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type AroundHook,
  ClientOsloRpc,
  type ClientOsloRpcOptions,
  connectBroker,
  currentRequestContext,
  type IncomingRequest,
  InjectOsloClient,
  OnNotification,
  OsloClient,
  OsloNotificationContext,
  OsloRpcContext,
  OsloRpcModule,
  OsloRpcRecordBuilder,
  type RequestContext,
  RpcServer,
  runWithRequestContext,
  type Serializer,
} from '../../../lib/index.js';
import { moduleOf, newBusUrl, newClient, serve } from './nest-apps.js';
import { startNotifying } from './notification-apps.js';

let received: IncomingRequest[];
const contexts = (): RequestContext[] => received.map(({ requestContext }) => requestContext);

/** Notes what arrives; without Nest, so that nothing ambient is at work there. */
async function startSink(transportUrl: string): Promise<void> {
  const broker = await connectBroker(transportUrl);
  const note = (_args: object, request: IncomingRequest): string => {
    received.push(request);
    return 'noted';
  };
  const rpc = new RpcServer(broker, { topic: 'sink', server: 'host1' }, [{ methods: { note } }]);
  await rpc.start();
  onTestFinished(async () => {
    await rpc.close();
    await broker.close();
  });
}

@Injectable()
class Clients {
  constructor(
    @InjectOsloClient('SINK') readonly typed: OsloClient,
    @Inject('SINK_PROXY') readonly proxy: ClientOsloRpc,
  ) {}
}

@Controller()
class RelayController {
  constructor(private readonly clients: Clients) {}

  @MessagePattern('sync')
  sync() {
    return this.clients.typed.call('note');
  }

  @MessagePattern('awaiting')
  async awaiting() {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await this.clients.typed.cast('note');
    await this.clients.typed.fanout('note');
    return this.clients.typed.prepare({ timeout: 2 }).proxy().note!();
  }

  @MessagePattern('observable')
  observable() {
    const { proxy, typed } = this.clients;
    return concat(of(1), defer(() => typed.call('note')).pipe(delay(1))).pipe(
      mergeMap(() => proxy.send('note', {})),
      mergeMap(() => proxy.send('note', {})),
      tap(() => proxy.emit('note', {})),
      toArray(),
    );
  }

  @MessagePattern('explicit')
  async explicit() {
    const context = { user_id: 'explicit' };
    await this.clients.typed.call('note', {}, { context });
    await lastValueFrom(this.clients.proxy.send('note', new OsloRpcRecordBuilder().setContext(context).build()));
    await runWithRequestContext({ ...currentRequestContext(), is_admin: true }, () => this.clients.typed.call('note'));
    return currentRequestContext();
  }
}

interface Relay {
  client: ClientOsloRpc;
  clients: Clients;
}

/** A service that calls the sink, by default on its own bus. */
async function startRelay(sink: ClientOsloRpcOptions = {}, controller: Type = RelayController): Promise<Relay> {
  const transportUrl = newBusUrl();
  const options = { transportUrl, topic: 'sink', logEvents: false, timeout: 3, ...sink };
  await startSink(options.transportUrl);
  const imports = [
    OsloRpcModule.forFeature([{ name: 'SINK', ...options }]),
    ClientsModule.register([{ name: 'SINK_PROXY', customClass: ClientOsloRpc, options }]),
    OsloRpcModule.forRoot(),
  ];
  const { app, client } = await serve(moduleOf({ controllers: [controller], imports, providers: [Clients] }), {
    transportUrl,
  });
  return { client, clients: app.get(Clients) };
}

const request = { user_id: 'u1', auth_token: 'secret', request_id: 'req-1' };

async function callRelay(client: ClientOsloRpc, method: string, context: object = request): Promise<unknown> {
  return lastValueFrom(
    client.send({ method, callMonitorTimeout: 9 }, new OsloRpcRecordBuilder({}).setContext(context).build()),
  );
}

beforeEach(() => {
  received = [];
});

describe('the context of a request', () => {
  it.each([
    ['sync', 1],
    ['awaiting', 3],
    ['observable', 7],
  ])('goes on from a handler: %s', async (method, times) => {
    const { client } = await startRelay();
    await callRelay(client, method);
    await expect.poll(() => received).toHaveLength(times);
    expect(contexts()).toEqual(Array.from({ length: times }, () => request));
  });

  it('does not include how long the caller waits for heartbeats', async () => {
    const { client } = await startRelay();
    await callRelay(client, 'sync');
    expect(received[0]!.clientTimeout).toBeUndefined();
    expect(contexts()).toEqual([request]);
  });

  it('gives way to an explicit one', async () => {
    const { client } = await startRelay();
    expect(await callRelay(client, 'explicit')).toEqual(request);
    expect(contexts()).toEqual([{ user_id: 'explicit' }, { user_id: 'explicit' }, { ...request, is_admin: true }]);
  });

  it('is each its own, however requests overlap, and nobody’s outside of them', async () => {
    const { client, clients } = await startRelay();
    const users = Array.from({ length: 20 }, (_, index) => ({ user_id: `u${index}` }));
    await Promise.all(users.map((user, index) => callRelay(client, index % 2 ? 'awaiting' : 'observable', user)));
    await expect.poll(() => received).toHaveLength(10 * 3 + 10 * 7);
    for (const [index, user] of users.entries()) {
      const own = contexts().filter(({ user_id }) => user_id === user.user_id);
      expect(own).toHaveLength(index % 2 ? 3 : 7);
    }
    received = [];
    // The proxy's connection was opened inside a handler; its replies must not bring that one's context.
    await firstValueFrom(clients.proxy.send('note', {}).pipe(mergeMap(() => clients.proxy.send('note', {}))));
    await clients.typed.call('note');
    expect(contexts()).toEqual([{}, {}, {}]);
    expect(currentRequestContext()).toBeUndefined();
  });

  it.each([
    ['stays on its bus', undefined, [{}]],
    ['goes everywhere with always', 'always', [request]],
    ['goes nowhere with never', 'never', [{}]],
  ] as const)('%s', async (_title, forwardContext, expected) => {
    const { client } = await startRelay({ transportUrl: newBusUrl(), forwardContext });
    await callRelay(client, 'sync');
    expect(contexts()).toEqual(expected);
  });

  it('goes nowhere with never, on its own bus neither, where the default context is sent', async () => {
    const { client } = await startRelay({ forwardContext: 'never', defaultContext: () => ({ user_id: 'service' }) });
    await callRelay(client, 'sync');
    expect(contexts()).toEqual([{ user_id: 'service' }]);
  });

  it('stays on its bus when a handler changes it', async () => {
    @Controller()
    class AdminController {
      constructor(private readonly clients: Clients) {}

      @MessagePattern('sync')
      sync() {
        return runWithRequestContext({ ...currentRequestContext(), is_admin: true }, () =>
          this.clients.typed.call('note'),
        );
      }
    }
    const { client } = await startRelay({ transportUrl: newBusUrl() }, AdminController);
    await callRelay(client, 'sync');
    expect(contexts()).toEqual([{}]);
  });
});

describe('runWithRequestContext', () => {
  it('sets a context where there is no request, for every bus or one', async () => {
    const { clients } = await startRelay();
    await runWithRequestContext({ user_id: 'http' }, () => clients.typed.call('note'));
    await runWithRequestContext({ user_id: 'http' }, () => clients.typed.call('note'), {
      transportUrl: 'rabbit://elsewhere/',
    });
    expect(contexts()).toEqual([{ user_id: 'http' }, {}]);
  });

  it('serves the HTTP half of an application', async () => {
    const transportUrl = newBusUrl();
    await startSink(transportUrl);
    @Controller()
    class HttpController {
      constructor(@InjectOsloClient('SINK') private readonly sink: OsloClient) {}

      @Get()
      hello() {
        return runWithRequestContext({ user_id: 'http' }, () => this.sink.call('note'));
      }
    }
    const feature = OsloRpcModule.forFeature([{ name: 'SINK', topic: 'sink', transportUrl, logEvents: false }]);
    const testing = Test.createTestingModule({ controllers: [HttpController], imports: [feature] });
    const app = (await testing.compile()).createNestApplication({ logger: false });
    onTestFinished(() => app.close());
    await app.listen(0, '127.0.0.1');
    expect(await (await fetch(await app.getUrl())).text()).toBe('noted');
    expect(contexts()).toEqual([{ user_id: 'http' }]);
  });
});

describe('a context class of the service’s own', () => {
  class NovaContext {
    constructor(
      readonly userId: string,
      readonly isAdmin = false,
    ) {}

    elevated(): NovaContext {
      return new NovaContext(this.userId, true);
    }
  }

  const serializer: Serializer<NovaContext> = {
    serializeContext: (context) =>
      context instanceof NovaContext ? { user_id: context.userId, is_admin: context.isAdmin } : context,
    deserializeContext: (context) => new NovaContext(String(context.user_id), context.is_admin === true),
    serializeEntity: (_context, entity) => entity,
    deserializeEntity: (_context, entity) => entity,
  };

  it('is what handlers see, and what clients take and turn back', async () => {
    const transportUrl = newBusUrl();
    await startSink(transportUrl);
    @Controller()
    class NovaController {
      constructor(@InjectOsloClient('SINK') private readonly sink: OsloClient) {}

      @MessagePattern('typed')
      async typed(@Ctx() { requestContext }: OsloRpcContext<NovaContext>) {
        await this.sink.call('note');
        await this.sink.call('note', {}, { context: requestContext.elevated() });
        return [requestContext instanceof NovaContext, currentRequestContext<NovaContext>() === requestContext];
      }
    }
    const options = { transportUrl, topic: 'sink', logEvents: false, serializer };
    const imports = [OsloRpcModule.forFeature([{ name: 'SINK', ...options }])];
    await serve(moduleOf({ controllers: [NovaController], imports }), { transportUrl, serializer });
    const client = newClient({ transportUrl, serializer });
    const record = new OsloRpcRecordBuilder().setContext(new NovaContext('u1')).build();
    expect(await lastValueFrom(client.send('typed', record))).toEqual([true, true]);
    expect(contexts()).toEqual([
      { user_id: 'u1', is_admin: false },
      { user_id: 'u1', is_admin: true },
    ]);
  });

  it('goes along with notifications, reduced, and comes back to listeners', async () => {
    @Injectable()
    class Listener {
      static heard: unknown[] = [];

      @OnNotification('info')
      on(@Ctx() { requestContext }: OsloNotificationContext) {
        Listener.heard.push(requestContext);
      }
    }
    const own = {
      ...serializer,
      serializeContext: (context: NovaContext) => ({ user: context.userId, secret: 's3cret' }),
    };
    const back = { ...own, deserializeContext: ({ user }: { user?: unknown }) => new NovaContext(String(user)) };
    const { notifier } = await startNotifying({ serializer: back }, { providers: [Listener] });
    await notifier.info('a', {}, { context: new NovaContext('u1') });
    await vi.waitFor(() => expect(Listener.heard).toEqual([new NovaContext('u1')]));
  });

  it('is written as it is sent before a hook sees it', async () => {
    const transportUrl = newBusUrl();
    await startSink(transportUrl);
    const hook: AroundHook = {
      aroundSend: (message, next) => {
        message.context.trace = 't1';
        return next();
      },
    };
    const client = newClient({ transportUrl, topic: 'sink', serializer, hooks: [hook] });
    await lastValueFrom(client.send('note', new OsloRpcRecordBuilder().setContext(new NovaContext('u1')).build()));
    expect(contexts()).toEqual([{ user_id: 'u1', is_admin: false, trace: 't1' }]);
  });
});
