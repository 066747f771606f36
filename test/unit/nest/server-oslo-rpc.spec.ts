import { Controller, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, type MicroserviceOptions, Payload, Transport } from '@nestjs/microservices';
import { EMPTY, firstValueFrom, from, lastValueFrom, of, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  ANY_METHOD,
  explicitAccessPolicy,
  InvalidTransportUrl,
  OSLO_RPC,
  OsloRpcContext,
  ServerOsloRpc,
} from '../../../lib/index.js';
import { createMemoryBus } from '../../../lib/testing/index.js';
import { eventsOf, newBusUrl, newClient, newServer, rootModule, serve } from './nest-apps.js';

const call = (client: ReturnType<typeof newClient>, pattern: unknown, args: object = {}): Promise<unknown> =>
  lastValueFrom(client.send(pattern, args));

/** What `listen()` says, in an application with this one controller. */
async function listenFailure(controller: new () => object, options = {}): Promise<Error> {
  const strategy = newServer({ transportUrl: newBusUrl(), ...options });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(rootModule([controller]), {
    strategy,
    logger: false,
  });
  onTestFinished(() => app.close());
  return app.listen().then(
    () => {
      throw new Error('listens');
    },
    (error: Error) => error,
  );
}

describe('patterns', () => {
  @Controller()
  class PatternController {
    @MessagePattern({ namespace: 'baseapi', method: 'ping', version: '1.1' })
    ping(@Payload('arg') arg: string, @Ctx() context: OsloRpcContext) {
      return [arg, context.namespace, context.version];
    }

    @MessagePattern({ namespace: null, method: 'explicit' })
    explicit() {
      return 'null namespace';
    }

    @MessagePattern('reload', OSLO_RPC)
    reload(@Payload() args: object) {
      return args;
    }

    @MessagePattern('user.created')
    dotted() {
      return 'never';
    }

    @MessagePattern({ cmd: 'sum' })
    foreignObject() {
      return 'never';
    }

    @MessagePattern('tcp_only', Transport.TCP)
    otherTransport() {
      return 'never';
    }

    @MessagePattern({ topic: 'scheduler', exchange: 'cinder', method: 'where' })
    where(@Ctx() { target }: OsloRpcContext) {
      return target;
    }
  }

  it('serves a method of a namespace with its keyword arguments', async () => {
    const { client } = await serve(rootModule([PatternController]));
    const pattern = { namespace: 'baseapi', method: 'ping', version: '1.0' };
    expect(await call(client, pattern, { arg: 'hi' })).toEqual(['hi', 'baseapi', '1.0']);
  });

  it('takes an identifier for a method in the null namespace, and null for absent', async () => {
    const { client } = await serve(rootModule([PatternController]));
    expect(await call(client, 'reload', { deep: { list: [1, null] } })).toEqual({ deep: { list: [1, null] } });
    expect(await call(client, 'explicit')).toBe('null namespace');
    expect(await call(client, { method: 'explicit', namespace: null })).toBe('null namespace');
  });

  it('leaves the patterns of other transports alone', async () => {
    const { client } = await serve(rootModule([PatternController]));
    for (const method of ['user.created', 'sum', 'tcp_only']) {
      await expect(call(client, { method })).rejects.toMatchObject({ name: 'NoSuchMethod' });
    }
  });

  it('serves other topics and exchanges than its own', async () => {
    const { client } = await serve(rootModule([PatternController]), { server: 'host1' });
    expect(await call(client, { exchange: 'cinder', topic: 'scheduler', method: 'where', server: 'host1' })).toEqual({
      exchange: 'cinder',
      topic: 'scheduler',
      server: 'host1',
      namespace: null,
      version: '1.0',
      fanout: false,
    });
  });

  it('has patterns of its own transport id only', async () => {
    const other = Symbol('second bus');
    const { client } = await serve(rootModule([PatternController]), { transportId: other });
    await expect(call(client, 'reload')).rejects.toMatchObject({ name: 'NoSuchMethod' });
    expect(await call(client, 'explicit')).toBe('null namespace');
  });

  it('finds its patterns explicit enough for the explicit access policy', async () => {
    const { client } = await serve(rootModule([PatternController]), { accessPolicy: explicitAccessPolicy });
    expect(await call(client, 'explicit')).toBe('null namespace');
  });

  it('shows its handlers once for equal patterns', async () => {
    const { server } = await serve(rootModule([PatternController]));
    const keys = [...server.getHandlers().keys()];
    expect(keys).toContain('{"method":"explicit"}');
    expect(keys).toHaveLength(4);
  });
});

describe('versions', () => {
  @Controller()
  class VersionedController {
    @MessagePattern({ method: 'old', version: '1.0' })
    old() {
      return 'old';
    }

    @MessagePattern({ method: 'recent', version: '1.10' })
    recent() {
      return 'recent';
    }

    @MessagePattern({ method: 'old', version: '2.0' })
    next() {
      return 'next';
    }
  }

  it('reaches every method of an interface up to its highest version', async () => {
    const { client } = await serve(rootModule([VersionedController]));
    expect(await call(client, { method: 'old', version: '1.10' })).toBe('old');
    expect(await call(client, { method: 'recent', version: '1.2' })).toBe('recent');
    await expect(call(client, { method: 'old', version: '1.11' })).rejects.toMatchObject({
      name: 'UnsupportedVersion',
    });
  });

  it('has majors side by side', async () => {
    const { client } = await serve(rootModule([VersionedController]));
    expect(await call(client, { method: 'old', version: '1.0' })).toBe('old');
    expect(await call(client, { method: 'old', version: '2.0' })).toBe('next');
    await expect(call(client, { method: 'recent', version: '2.0' })).rejects.toMatchObject({ name: 'NoSuchMethod' });
  });

  it('refuses at listen() two answers to one method, naming both handlers', async () => {
    @Controller()
    class FirstController {
      @MessagePattern({ method: 'ping', version: '1.0' })
      first() {}
    }
    @Controller()
    class SecondController extends FirstController {
      @MessagePattern({ namespace: null, method: 'ping', version: '1.3' })
      second() {}
    }
    const error = await listenFailure(SecondController);
    expect(error).toMatchObject({ name: 'ConfigurationError' });
    expect(error.message).toContain('SecondController.first (ping 1.0)');
    expect(error.message).toContain('SecondController.second (ping 1.3)');
  });

  it('refuses at listen() what is no version', async () => {
    @Controller()
    class WrongController {
      @MessagePattern({ method: 'ping', version: 'latest' })
      ping() {}
    }
    expect(await listenFailure(WrongController)).toMatchObject({ name: 'ConfigurationError', value: 'latest' });
  });

  it('says at listen() which pattern has no topic', async () => {
    @Controller()
    class HomelessController {
      @MessagePattern('ping')
      ping() {}
    }
    const error = await listenFailure(HomelessController, { topic: undefined });
    expect(error).toMatchObject({ name: 'InvalidTarget' });
    expect(error.message).toBe(
      'HomelessController.ping (ping 1.0) has no topic: name one in its @OsloEndpoint() or its pattern, or for all: new ServerOsloRpc({ topic }), OsloRpcModule.forRoot({ serve: { topic } })',
    );
  });
});

describe('any method', () => {
  @Controller()
  class ProxyController {
    @MessagePattern('known')
    known() {
      return 'known';
    }

    @MessagePattern({ method: ANY_METHOD })
    any(@Ctx() { method, namespace, version }: OsloRpcContext) {
      return [method, namespace, version];
    }
  }

  it('takes what nobody else takes, in any namespace and version', async () => {
    const { client } = await serve(rootModule([ProxyController]));
    expect(await call(client, 'known')).toBe('known');
    expect(await call(client, 'unknown')).toEqual(['unknown', null, '1.0']);
    expect(await call(client, { method: 'ping', namespace: 'baseapi', version: '7.3' })).toEqual([
      'ping',
      'baseapi',
      '7.3',
    ]);
  });

  it('stands once per topic', async () => {
    @Controller()
    class GreedyController extends ProxyController {
      @MessagePattern({ method: ANY_METHOD, namespace: 'baseapi' })
      more() {}
    }
    expect(await listenFailure(GreedyController)).toMatchObject({ name: 'ConfigurationError' });
  });
});

describe('results', () => {
  @Controller()
  class ResultController {
    @MessagePattern('stream')
    stream() {
      return from([1, 2, 3]);
    }

    @MessagePattern('later_stream')
    async laterStream() {
      return of('a', 'b');
    }

    @MessagePattern('empty')
    empty() {
      return EMPTY;
    }

    @MessagePattern('nothing')
    nothing() {}

    @MessagePattern('promise')
    async promise() {
      return { deep: [1] };
    }

    @MessagePattern('zero')
    zero() {
      return 0;
    }

    @MessagePattern('broken_stream')
    brokenStream() {
      return throwError(() => new TypeError('torn'));
    }
  }

  it.each([
    ['stream', 3],
    ['later_stream', 'b'],
    ['empty', null],
    ['nothing', null],
    ['promise', { deep: [1] }],
    ['zero', 0],
  ])('answers %s exactly once', async (method, answer) => {
    for (const keeper of [true, false]) {
      const { client, events } = await serve(rootModule([ResultController], { keeper }));
      expect(await call(client, method)).toEqual(answer);
      // A second answer would come back to the client as one that nobody waits for.
      const strays = eventsOf(client);
      expect(await call(client, 'zero')).toBe(0);
      expect(strays).toEqual([]);
      expect(events.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
    }
  });

  it('makes a failure of a stream that fails', async () => {
    const { client } = await serve(rootModule([ResultController]));
    await expect(call(client, 'broken_stream')).rejects.toMatchObject({ excType: 'TypeError', module: 'builtins' });
  });
});

describe('event handlers', () => {
  const ran = vi.fn<(name: string, args: unknown) => void>();

  @Controller()
  class EventController {
    @EventPattern('changed')
    async first(@Payload() args: unknown) {
      ran('first', args);
      return 'dropped';
    }

    @EventPattern('changed')
    second(@Payload() args: unknown) {
      ran('second', args);
      return of('dropped');
    }

    @EventPattern('fragile')
    failing(@Payload() _args: unknown) {
      throw new RangeError('first to fail');
    }

    @EventPattern('fragile')
    alsoFailing(@Payload() _args: unknown) {
      return throwError(() => new TypeError('second to fail'));
    }

    @EventPattern('fragile')
    fine(@Payload() args: unknown) {
      ran('fine', args);
    }

    @MessagePattern('both')
    answer() {
      return 'answer';
    }

    @EventPattern('both')
    listener(@Payload() args: unknown) {
      ran('listener', args);
      return 'dropped';
    }
  }

  it('run all, and answer a call with null', async () => {
    ran.mockClear();
    const { client } = await serve(rootModule([EventController]));
    expect(await call(client, 'changed', { id: 1 })).toBeNull();
    expect(ran.mock.calls).toEqual([
      ['first', { id: 1 }],
      ['second', { id: 1 }],
    ]);
  });

  it('run beside the handler that answers', async () => {
    ran.mockClear();
    const { client } = await serve(rootModule([EventController]));
    expect(await call(client, 'both', { id: 2 })).toBe('answer');
    expect(ran).toHaveBeenCalledWith('listener', { id: 2 });
  });

  it('are told of to a caller when they fail; the others run all the same', async () => {
    ran.mockClear();
    const { client, events } = await serve(rootModule([EventController]));
    await expect(call(client, 'fragile')).rejects.toMatchObject({ excType: 'ValueError' });
    expect(ran).toHaveBeenCalledWith('fine', {});
    const failures = events.filter(({ type }) => type === 'handler-failed');
    expect(failures.map(({ message }) => message).sort()).toEqual([
      expect.stringContaining('second to fail'),
      expect.stringContaining('first to fail'),
    ]);
  });

  it('are reported when they fail for a cast', async () => {
    const { client, events } = await serve(rootModule([EventController]));
    await firstValueFrom(client.emit('fragile', {}));
    await vi.waitFor(() => {
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'handler-failed', isCall: false, error: expect.any(RangeError) }),
      );
    });
  });
});

describe('listening and closing', () => {
  @Controller()
  class PingController {
    @MessagePattern('ping')
    ping() {
      return 'pong';
    }
  }

  const serverOn = (transportUrl: string): ServerOsloRpc => {
    const server = newServer({ transportUrl });
    server.addHandler('ping', async () => 'pong');
    return server;
  };
  const outcome = (server: ServerOsloRpc): Promise<unknown> => new Promise((resolve) => server.listen(resolve));

  it('calls back once, not again when it reconnects', async () => {
    const bus = createMemoryBus();
    const server = serverOn(bus.url);
    const callback = vi.fn<(error: unknown) => void>();
    await new Promise<void>((resolve) => {
      server.listen((error) => {
        callback(error);
        resolve();
      });
    });
    const events = eventsOf(server);
    bus.dropConnection();
    await vi.waitFor(() =>
      expect(events).toContainEqual(expect.objectContaining({ connection: 'consume', to: 'connected' })),
    );
    expect(await call(newClient({ transportUrl: bus.url }), 'ping')).toBe('pong');
    expect(callback.mock.calls).toEqual([[undefined]]);
  });

  it('can be closed before it listens, and twice', async () => {
    const server = serverOn(newBusUrl());
    await server.close();
    await server.close();
    expect(await outcome(server)).toMatchObject({ name: 'ClosedError' });
  });

  it('can be closed while it starts to listen', async () => {
    const server = serverOn(newBusUrl());
    const listened = outcome(server);
    await server.close();
    expect(await listened).toMatchObject({ name: 'ClosedError' });
  });

  it('answers what runs before it is closed', async () => {
    let finish!: (value: string) => void;
    const url = newBusUrl();
    const server = newServer({ transportUrl: url });
    const started = new Promise<void>((resolve) => {
      server.addHandler('slow', () => (resolve(), new Promise((done) => (finish = done))));
    });
    await outcome(server);
    const answer = call(newClient({ transportUrl: url }), 'slow');
    await started;
    const closed = server.close();
    finish('done');
    expect(await answer).toBe('done');
    await closed;
  });

  it('refuses a transport URL that it does not understand at once', () => {
    expect(() => new ServerOsloRpc({ transportUrl: 'amqp//oops' })).toThrow(InvalidTransportUrl);
  });

  it.each([{ executorThreadPoolSize: 0 }, { shutdownTimeoutMs: -1 }])('refuses %j at once', (options) => {
    expect(() => new ServerOsloRpc(options)).toThrow(Object.keys(options)[0]);
  });

  it('shows its status, and the broker under it', async () => {
    const server = serverOn(newBusUrl());
    const states: string[] = [];
    server.status.subscribe((status) => states.push(status));
    expect(() => server.unwrap()).toThrow('listen()');
    await outcome(server);
    expect(server.unwrap()).toMatchObject({ state: 'connected' });
    await server.close();
    // Its second connection, to consume, follows the first.
    expect(states).toEqual(['connecting', 'connected', 'connecting', 'connected', 'closed']);
  });

  it('keeps listeners that were there before the connection', async () => {
    const server = serverOn(newBusUrl());
    const changes: string[] = [];
    server.on('lifecycle-changed', ({ to }) => changes.push(to));
    await outcome(server);
    await server.close();
    expect(changes).toEqual(['started', 'draining', 'closed']);
  });

  const write = () => vi.fn<(message: unknown, context?: string) => void>();

  it('logs what it exposes, and events at their level', async () => {
    const logger = { debug: write(), error: write(), log: write(), warn: write() } satisfies LoggerService;
    const strategy = new ServerOsloRpc({ transportUrl: newBusUrl(), topic: 'conductor', server: 'host1' });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(rootModule([PingController]), {
      strategy,
      logger,
    });
    onTestFinished(() => app.close());
    await app.listen();
    const lines = logger.log.mock.calls.map(([line]) => String(line));
    expect(lines).toContainEqual(
      expect.stringMatching(/'host1':\n +openstack\/conductor +\(no namespace\) +1\.0 +ping$/),
    );
    strategy.events.emit({ type: 'error-class-lost', level: 'warn', message: 'look here' });
    expect(logger.warn).toHaveBeenCalledWith('look here', expect.anything());
  });
});

describe('processing hooks', () => {
  it('wrap every handler, and end once, also after a failure', async () => {
    const transportUrl = newBusUrl();
    const server = newServer({ transportUrl });
    server.addHandler('fine', async () => from([1, 2]) as never);
    server.addHandler('wrong', () => Promise.reject(new Error('no')));
    const log: unknown[] = [];
    server.setOnProcessingStartHook((transportId, context, done) => {
      log.push(['start', transportId === OSLO_RPC, (context as OsloRpcContext).method]);
      void done();
    });
    server.setOnProcessingEndHook((_transportId, context) => log.push(['end', (context as OsloRpcContext).method]));
    await new Promise((resolve) => server.listen(resolve));
    const client = newClient({ transportUrl });
    expect(await call(client, 'fine')).toBe(2);
    await expect(call(client, 'wrong')).rejects.toThrow('no');
    expect(log).toEqual([
      ['start', true, 'fine'],
      ['end', 'fine'],
      ['start', true, 'wrong'],
      ['end', 'wrong'],
    ]);
  });

  it('that fail become a failure of the call', async () => {
    const transportUrl = newBusUrl();
    const server = newServer({ transportUrl });
    server.addHandler('fine', async () => 1);
    server.setOnProcessingStartHook(() => {
      throw new Error('no span');
    });
    await new Promise((resolve) => server.listen(resolve));
    await expect(call(newClient({ transportUrl }), 'fine')).rejects.toThrow('no span');
  });
});
