import { type CallHandler, Controller, type ExecutionContext, Injectable, UseInterceptors } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { concat, from, map, NEVER, of, throwError, toArray, lastValueFrom, Observable } from 'rxjs';
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest';
import {
  currentRequestContext,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  type OsloRpcContext,
  OsloRpcRecordBuilder,
} from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { rootModule, serve } from './nest-apps.js';

class HostNotFound extends Error {
  override readonly name = 'HostNotFound';
}

@Injectable()
class Shouting {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => value));
  }
}

const left = vi.fn<() => void>();

@OsloEndpoint({ namespace: 'hosts', version: '1.2' })
class HostEndpoint {
  @OsloMethod({ multicall: true })
  async *list(@Payload('names') names: string[], @Ctx() context: OsloRpcContext) {
    for (const name of names) {
      await Promise.resolve();
      yield `${name} ${context.method} ${String((currentRequestContext() as { user?: string }).user)}`;
    }
  }

  @OsloMethod({ multicall: true })
  stream(@Payload('names') names: string[]) {
    return from(names);
  }

  @UseInterceptors(Shouting)
  @OsloMethod({ multicall: true })
  async *intercepted() {
    yield* [1, 2];
  }

  @OsloMethod({ multicall: true })
  one() {
    return ['a', 'b'];
  }

  @OsloMethod({ multicall: true })
  async *failing() {
    yield 1;
    throw new HostNotFound('of the generator');
  }

  @OsloMethod({ multicall: true })
  failingStream() {
    return concat(
      of(1, 2),
      throwError(() => new HostNotFound('of the stream')),
    );
  }

  @OsloMethod({ multicall: true })
  quiet() {
    return concat(of(1), NEVER).pipe(
      (source) =>
        new Observable((observer) => {
          const subscription = source.subscribe(observer);
          return () => {
            left();
            subscription.unsubscribe();
          };
        }),
    );
  }

  @OsloMethod()
  last() {
    return from([1, 2, 3]);
  }
}

const told = vi.fn<(args: unknown) => void>();

@Controller()
class PatternController {
  @MessagePattern({ method: 'shared', multicall: true })
  async *shared() {
    yield* ['a', 'b'];
  }

  @EventPattern('shared')
  listens(@Payload() args: unknown) {
    told(args);
    return 'dropped';
  }

  @EventPattern({ method: 'event', multicall: true })
  event() {
    return of(1, 2);
  }

  @MessagePattern({ method: 'numbers', multicall: true })
  async *numbers() {
    yield* [1, 2, 3];
  }
}

interface HostApi {
  list(args: { names: string[] }): AsyncGenerator<string>;
  stream(args: { names: string[] }): Observable<string>;
  one(): string[];
}

const app = async () => {
  const served = await serve(rootModule([HostEndpoint, PatternController]), { shutdownTimeoutMs: 100 });
  const all = (method: string, args: object = {}): Promise<unknown[]> =>
    lastValueFrom(served.client.send({ namespace: 'hosts', method, multicall: true }, args).pipe(toArray()));
  return { ...served, all };
};

describe('a handler of several answers', () => {
  it('is a generator, that runs in the context of its request', async () => {
    const { all } = await app();
    const args = new OsloRpcRecordBuilder({ names: ['a', 'b'] }).setContext({ user: 'u1' }).build();
    expect(await all('list', args)).toEqual(['a list u1', 'b list u1']);
  });

  it.each([
    ['a stream', 'stream', { names: ['x', 'y'] }, ['x', 'y']],
    ['an empty stream', 'stream', { names: [] }, []],
    ['a generator behind an interceptor', 'intercepted', {}, [1, 2]],
    ['one value', 'one', {}, [['a', 'b']]],
  ])('may return %s', async (_what, method, args, values) => {
    const { all } = await app();
    expect(await all(method, args)).toEqual(values);
  });

  it('may be one of a plain controller', async () => {
    const { client } = await app();
    const values = client.send({ method: 'numbers', multicall: true }, {}).pipe(toArray());
    expect(await lastValueFrom(values)).toEqual([1, 2, 3]);
  });

  it.each([
    ['failing', [1], 'of the generator'],
    ['failingStream', [1, 2], 'of the stream'],
  ])('that fails gives what came before, and its error: %s', async (method, before, message) => {
    const { client } = await app();
    const values: unknown[] = [];
    const failure = await new Promise((resolve) => {
      const sent = client.send({ namespace: 'hosts', method, multicall: true }, {});
      sent.subscribe({ next: (value) => values.push(value), error: resolve, complete: () => resolve('complete') });
    });
    expect(failure).toMatchObject({ name: 'RemoteError', excType: 'HostNotFound', remoteMessage: message });
    expect(values).toEqual(before);
  });

  it('gives the last to those who wait for one', async () => {
    const { client } = await app();
    expect(await lastValueFrom(client.send({ method: 'numbers' }, {}))).toBe(3);
    const stream = { namespace: 'hosts', method: 'stream' };
    expect(await lastValueFrom(client.send(stream, { names: ['x', 'y'] }))).toBe('y');
  });

  it('stands beside event handlers of the same method, whose results are dropped', async () => {
    const { client } = await app();
    const values = (method: string) =>
      lastValueFrom(client.send({ method, multicall: true }, { n: 1 }).pipe(toArray()));
    expect(await values('shared')).toEqual(['a', 'b']);
    expect(told).toHaveBeenCalledExactlyOnceWith({ n: 1 });
    expect(await values('event')).toEqual([]);
  });

  it('gives one where it is not marked', async () => {
    const { all } = await app();
    expect(await all('last')).toEqual([3]);
  });

  it('is left at its deadline though it emits nothing', async () => {
    left.mockClear();
    const { client } = await app();
    const quiet = { namespace: 'hosts', method: 'quiet', multicall: true, timeout: 1 };
    const taken: unknown[] = [];
    const failure = await new Promise((resolve) => {
      client.send(quiet, {}).subscribe({ next: (value) => taken.push(value), error: resolve });
    });
    expect(failure).toMatchObject({ code: 'OSLO_TIMEOUT' });
    expect(taken).toEqual([1]);
    await eventually(() => left.mock.calls.length === 1);
  });

  it('refuses an option that is no boolean', () => {
    expect(() => OsloMethod({ multicall: 'yes' as never })).toThrow(/multicall/);
  });
});

describe('OsloClient.multicall', () => {
  const clientOf = async () => {
    const { server } = await app();
    const { transportUrl } = server.address;
    const options = { transportUrl, topic: 'conductor', namespace: 'hosts', version: '1.0', logEvents: false };
    const client = new OsloClient<HostApi>(options);
    onTestFinished(() => client.close());
    return client;
  };

  it('gives each value, anew for each subscriber', async () => {
    const client = await clientOf();
    const values = client.multicall('stream', { names: ['a', 'b'] });
    expectTypeOf(values).toEqualTypeOf<Observable<string>>();
    expectTypeOf(client.multicall('list', { names: [] })).toEqualTypeOf<Observable<string>>();
    expectTypeOf(client.multicall('one')).toEqualTypeOf<Observable<string[]>>();
    expect(await lastValueFrom(values.pipe(toArray()))).toEqual(['a', 'b']);
    expect(await lastValueFrom(values.pipe(toArray()))).toEqual(['a', 'b']);
    expect(await client.call('list', { names: ['a', 'b'] })).toBe('b list undefined');
  });

  it('takes a record, and fails through the stream', async () => {
    const client = await clientOf();
    const record = new OsloRpcRecordBuilder({ names: ['a'] }).setContext({ user: 'u2' }).build();
    expect(await lastValueFrom(client.multicall('list', record))).toBe('a list u2');
    await client.close();
    async function caller(): Promise<unknown> {
      return lastValueFrom(client.multicall('one'));
    }
    const error = (await caller().catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'OSLO_CLOSED' });
  });

  it('forgets the call when nobody listens any more', async () => {
    const client = await clientOf();
    const prepared = client.prepare({ timeout: 60 }) as unknown as OsloClient<{ quiet(): Observable<number> }>;
    const first = await new Promise((resolve) => {
      const subscription = prepared.multicall('quiet').subscribe((value) => {
        subscription.unsubscribe();
        resolve(value);
      });
    });
    expect(first).toBe(1);
    expect(client.unwrap().state).toBe('connected');
  });
});
