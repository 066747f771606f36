import { Controller, Get, Injectable, Scope, SetMetadata, UseGuards } from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import { Ctx, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ANY_METHOD, OsloEndpoint, OsloMethod, OsloRpcContext, type OsloRpcPattern } from '../../../lib/index.js';
import { newBusUrl, newServer, rootModule, serve, type ServedApp } from './nest-apps.js';

const call = ({ client }: ServedApp, pattern: OsloRpcPattern | string, args: object = {}): Promise<unknown> =>
  lastValueFrom(client.send(pattern, args));

@OsloEndpoint({ topic: 'conductor', namespace: 'baseapi', version: '1.4' })
class BaseEndpoint {
  @OsloMethod()
  ping(@Payload('arg') arg: string, @Ctx() { namespace, version }: OsloRpcContext) {
    return [arg, namespace, version];
  }

  @OsloMethod({ name: 'get_host' })
  getHost() {
    return 'host1';
  }

  @OsloMethod({ version: '1.2' })
  since_1_2() {
    return 'since 1.2';
  }

  notServed() {
    return 'never';
  }
}

describe('an endpoint', () => {
  it('serves its methods under their own or their given name', async () => {
    const served = await serve(rootModule([BaseEndpoint]));
    const pattern = { namespace: 'baseapi', version: '1.0' };
    expect(await call(served, { ...pattern, method: 'ping' }, { arg: 'hi' })).toEqual(['hi', 'baseapi', '1.0']);
    expect(await call(served, { ...pattern, method: 'get_host' })).toBe('host1');
    for (const method of ['getHost', 'notServed']) {
      await expect(call(served, { ...pattern, method })).rejects.toMatchObject({ name: 'NoSuchMethod' });
    }
    await expect(call(served, 'ping')).rejects.toMatchObject({ name: 'UnsupportedVersion' });
  });

  it('is one interface: each method is served up to its version', async () => {
    const served = await serve(rootModule([BaseEndpoint]));
    const pattern = { namespace: 'baseapi', method: 'since_1_2' };
    for (const version of ['1.0', '1.2', '1.4']) {
      expect(await call(served, { ...pattern, version })).toBe('since 1.2');
    }
    await expect(call(served, { ...pattern, version: '1.5' })).rejects.toMatchObject({ name: 'UnsupportedVersion' });
  });

  it('implements its version even where all of its methods are older', async () => {
    @OsloEndpoint({ version: '1.9' })
    class GrownEndpoint {
      @OsloMethod({ version: '1.1' })
      old() {
        return 'old';
      }
    }
    const served = await serve(rootModule([GrownEndpoint]));
    expect(await call(served, { method: 'old', version: '1.9' })).toBe('old');
  });

  it('stands beside other majors of the same namespace', async () => {
    @OsloEndpoint({ namespace: 'baseapi', version: '2.0' })
    class NextEndpoint {
      @OsloMethod()
      ping() {
        return 'two';
      }
    }
    const served = await serve(rootModule([BaseEndpoint, NextEndpoint]));
    const ping = { namespace: 'baseapi', method: 'ping' };
    expect(await call(served, { ...ping, version: '1.4' }, { arg: 1 })).toEqual([1, 'baseapi', '1.4']);
    expect(await call(served, { ...ping, version: '2.0' })).toBe('two');
    await expect(call(served, { namespace: 'baseapi', method: 'get_host', version: '2.0' })).rejects.toMatchObject({
      name: 'NoSuchMethod',
    });
  });

  it('may be spread over controllers, which raise each other to the highest version', async () => {
    @OsloEndpoint({ namespace: 'baseapi', version: '1.7' })
    class MoreEndpoint {
      @OsloMethod()
      more() {
        return 'more';
      }
    }
    @Controller()
    class PlainController {
      @MessagePattern({ namespace: 'baseapi', method: 'plain', version: '1.0' })
      plain() {
        return 'plain';
      }
    }
    const served = await serve(rootModule([BaseEndpoint, MoreEndpoint, PlainController]));
    for (const [method, answer] of Object.entries({ get_host: 'host1', more: 'more', plain: 'plain' })) {
      expect(await call(served, { namespace: 'baseapi', method, version: '1.7' })).toBe(answer);
    }
  });

  it('refuses at listen() a method that it shares with another', async () => {
    @OsloEndpoint({ namespace: 'baseapi', version: '1.0' })
    class CopyEndpoint {
      @OsloMethod()
      ping() {}
    }
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(
      rootModule([BaseEndpoint, CopyEndpoint], { keeper: false }),
      { strategy: newServer({ transportUrl: newBusUrl() }), logger: false },
    );
    onTestFinished(() => app.close());
    const error = await app.listen().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'ConfigurationError' });
    expect((error as Error).message).toContain('BaseEndpoint.ping (baseapi.ping 1.4');
    expect((error as Error).message).toContain('CopyEndpoint.ping (baseapi.ping 1.0)');
  });

  it('takes what nobody else takes', async () => {
    @OsloEndpoint({ topic: 'conductor', legacyNamespaces: ['old'] })
    class ProxyEndpoint {
      @OsloMethod({ name: ANY_METHOD })
      any(@Ctx() { namespace, method, version }: OsloRpcContext) {
        return [namespace, method, version];
      }
    }
    const served = await serve(rootModule([BaseEndpoint, ProxyEndpoint]));
    expect(await call(served, { namespace: 'baseapi', method: 'get_host' })).toBe('host1');
    expect(await call(served, { namespace: 'x', method: 'y', version: '3.1' })).toEqual(['x', 'y', '3.1']);
  });

  it('is reached by its legacy namespaces, too', async () => {
    @OsloEndpoint({ namespace: 'new', legacyNamespaces: ['old', null, 'new'] })
    class MovedEndpoint {
      @OsloMethod()
      where(@Ctx() { namespace }: OsloRpcContext) {
        return namespace;
      }
    }
    const served = await serve(rootModule([MovedEndpoint]));
    for (const namespace of ['new', 'old', null]) {
      expect(await call(served, { method: 'where', namespace })).toBe(namespace);
    }
  });

  it('has topics and exchanges beside its server’s', async () => {
    @OsloEndpoint({ topic: 'scheduler', exchange: 'cinder' })
    class SchedulerEndpoint {
      @OsloMethod()
      where(@Ctx() { target }: OsloRpcContext) {
        return [target.exchange, target.topic];
      }
    }
    const served = await serve(rootModule([BaseEndpoint, SchedulerEndpoint]));
    expect(await call(served, { topic: 'scheduler', exchange: 'cinder', method: 'where' })).toEqual([
      'cinder',
      'scheduler',
    ]);
  });

  it('belongs to the server with its transport id', async () => {
    const secondBus = Symbol('second bus');
    @OsloEndpoint({ transportId: secondBus })
    class SecondEndpoint {
      @OsloMethod()
      second() {
        return 'second';
      }
    }
    const root = rootModule([BaseEndpoint, SecondEndpoint]);
    const first = await serve(root);
    const second = await serve(root, { transportId: secondBus });
    expect(await call(second, 'second')).toBe('second');
    await expect(call(first, 'second')).rejects.toMatchObject({ name: 'UnsupportedVersion' });
    await expect(call(second, { namespace: 'baseapi', method: 'get_host' })).rejects.toMatchObject({
      name: 'UnsupportedVersion',
    });
  });

  it('refuses what is no version at once', () => {
    expect(() => OsloEndpoint({ version: 'latest' })).toThrow("'latest' is not a version");
  });
});

describe('inherited methods', () => {
  const Marked = (value: string) => SetMetadata('mark', value);

  @Injectable()
  class MarkGuard {
    constructor(private readonly reflector: Reflector) {}
    canActivate(context: { getHandler(): () => unknown }) {
      return this.reflector.get<string>('mark', context.getHandler()) === 'yes';
    }
  }

  @OsloEndpoint({ version: '1.0' })
  class FirstEndpoint {
    protected readonly name: string = 'first';

    @OsloMethod()
    @Marked('yes')
    @UseGuards(MarkGuard)
    whoami(@Payload('greeting') greeting: string) {
      return `${greeting} ${this.name}`;
    }
  }

  @OsloEndpoint({ version: '2.0' })
  class SecondEndpoint extends FirstEndpoint {
    protected override readonly name = 'second';

    @OsloMethod()
    added() {
      return 'added';
    }
  }

  it('are served by parent and child, each in its version, with all their enhancers', async () => {
    const served = await serve(rootModule([FirstEndpoint, SecondEndpoint]));
    expect(await call(served, { method: 'whoami', version: '1.0' }, { greeting: 'hi' })).toBe('hi first');
    expect(await call(served, { method: 'whoami', version: '2.0' }, { greeting: 'ho' })).toBe('ho second');
    expect(await call(served, { method: 'added', version: '2.0' })).toBe('added');
  });
});

describe('beside Nest’s own decorators', () => {
  it('@OsloMethod() works in a plain controller', async () => {
    @Controller()
    class PlainController {
      @OsloMethod()
      plain() {
        return 'plain';
      }
    }
    expect(await call(await serve(rootModule([PlainController])), 'plain')).toBe('plain');
  });

  it('@OsloEndpoint() leaves a @Controller() what it is', () => {
    @OsloEndpoint()
    @Controller({ path: 'hosts', scope: Scope.REQUEST })
    class HostController {
      @Get()
      list() {}
    }
    expect(Reflect.getMetadata('path', HostController)).toBe('hosts');
    expect(Reflect.getMetadata('scope:options', HostController)).toEqual({ scope: Scope.REQUEST });
  });

  it('@MessagePattern() in an endpoint is served as it says', async () => {
    @OsloEndpoint({ namespace: 'baseapi' })
    class MixedEndpoint {
      @MessagePattern('plain')
      plain() {
        return 'plain';
      }
    }
    expect(await call(await serve(rootModule([MixedEndpoint])), 'plain')).toBe('plain');
  });

  it('a symbol cannot be served', () => {
    expect(() => {
      class SymbolEndpoint {
        @OsloMethod()
        [Symbol.toPrimitive]() {
          return 'x';
        }
      }
      return SymbolEndpoint;
    }).toThrow('is a symbol');
  });
});
