import {
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_GUARD, ContextIdFactory, type ContextIdStrategy, ModuleRef, REQUEST } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { EMPTY, map, of, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  NotificationFilter,
  NotificationResult,
  OnNotification,
  type OsloNotification,
  OsloNotificationContext,
} from '../../../lib/index.js';
import { newRecordingLogger, startNotifying } from './notification-apps.js';

const heard = vi.fn<(...what: unknown[]) => void>();

/** Everything that was heard so far; forgets it. */
function takeHeard(): unknown[][] {
  const calls = heard.mock.calls.slice();
  heard.mockClear();
  return calls;
}

it('has global request-scoped guards made anew for each notification, on providers too', async () => {
  const guarded: unknown[] = [];
  @Injectable({ scope: Scope.REQUEST })
  class Guard implements CanActivate {
    constructor(@Inject(REQUEST) private readonly request: OsloNotificationContext) {}

    canActivate() {
      guarded.push(this.request.eventType);
      return this.request.eventType !== 'refused';
    }
  }
  @Injectable()
  class Listener {
    @OnNotification('info')
    on() {
      heard();
    }
  }
  const providers = [Listener, { provide: APP_GUARD, useClass: Guard, scope: Scope.REQUEST }];
  const { notifier, listeners } = await startNotifying({}, { providers });
  await notifier.info('refused', {});
  await notifier.info('let in', {});
  await vi.waitFor(() => expect(listeners.counters.acknowledged).toBe(2));
  expect(guarded).toEqual(['refused', 'let in']);
  expect(takeHeard()).toHaveLength(1);
});

describe('what a listener is given', () => {
  @Injectable()
  class Listener {
    @OnNotification('info')
    whole(@Payload() payload: unknown, @Ctx() context: OsloNotificationContext) {
      heard('whole', payload, context);
    }

    @OnNotification('warn')
    parts(@Payload('host') host: string, @Payload('constructor') own: unknown) {
      heard('parts', host, own);
    }

    @OnNotification('error')
    undecorated(payload: unknown, context: OsloNotificationContext) {
      heard('undecorated', payload, context.eventType);
    }

    @OnNotification('debug')
    converted(@Payload('count', ParseIntPipe) count: number) {
      heard('converted', count);
    }
  }

  it('is the payload, or a part of it, and the context', async () => {
    const { notifier } = await startNotifying({ publisherId: 'compute.host1' }, { providers: [Listener] });
    const context = { request_id: 'req-1', user: 'u', auth_token: 'secret' };
    await notifier.info('compute.start', { host: 'h1' }, { context });
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    const [[, payload, given]] = takeHeard() as [[string, unknown, OsloNotificationContext]];
    expect(payload).toEqual({ host: 'h1' });
    expect(given).toMatchObject({
      priority: 'info',
      eventType: 'compute.start',
      publisherId: 'compute.host1',
      requestContext: { request_id: 'req-1', user: 'u', auth_token: null },
      redelivered: false,
      isBatch: false,
    });
    expect(given.messageId).toMatch(/^[0-9a-f-]{36}$/);
    expect(given.sentAt).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
    expect(given.timestamp?.toISOString().slice(0, 19)).toBe(given.sentAt?.slice(0, 19).replace(' ', 'T'));
    await notifier.warn('compute.slow', { host: 'h2' });
    await notifier.error('compute.fail', 'broken');
    await notifier.debug('compute.count', { count: '12' });
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(3));
    expect(takeHeard()).toEqual([
      ['parts', 'h2', undefined],
      ['undecorated', 'broken', 'compute.fail'],
      ['converted', 12],
    ]);
  });

  it('is a list, where it asked for batches', async () => {
    @Injectable()
    class Batches {
      @OnNotification(['info', 'error'], { batch: { size: 2, timeoutMs: 60_000 } })
      onBatch(notifications: OsloNotification[], context: OsloNotificationContext) {
        heard(
          notifications.map(({ payload }) => payload),
          context.isBatch,
          context.requestContext,
        );
      }
    }
    const { notifier } = await startNotifying({}, { providers: [Batches] });
    for (const n of [1, 2, 3, 4]) await notifier[n % 2 ? 'info' : 'error']('e', n, { context: { user: 'u' } });
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(2));
    expect(takeHeard()).toEqual([
      [[1, 2], true, {}],
      [[3, 4], true, {}],
    ]);
  });

  it('is a versioned object, where it asked for them', async () => {
    const payload = {
      'nova_object.name': 'InstancePayload',
      'nova_object.namespace': 'nova',
      'nova_object.version': '1.8',
      'nova_object.data': {
        uuid: 'i-1',
        flavor: {
          'nova_object.name': 'FlavorPayload',
          'nova_object.namespace': 'nova',
          'nova_object.version': '1.4',
          'nova_object.data': { vcpus: 2 },
        },
      },
    };
    @Injectable()
    class Versioned {
      @OnNotification('info', { topics: ['versioned_notifications'], versioned: true })
      objects(@Payload() { name, version, data }: { name: string; version: string; data: { uuid: string } }) {
        heard(name, version, data.uuid);
      }

      @OnNotification('info', { topics: ['versioned_notifications'], versioned: 'data' })
      data(@Payload() data: unknown) {
        heard(data);
      }

      @OnNotification('info', { topics: ['versioned_notifications'] })
      asSent(@Payload() asSent: unknown) {
        heard(asSent);
      }

      @OnNotification('info', { topics: ['versioned_notifications'], versioned: 'data', batch: { size: 1 } })
      batch(notifications: OsloNotification[]) {
        for (const notification of notifications) {
          const { payload: data, eventType } = { ...notification };
          heard(data, eventType);
        }
      }
    }
    const { notifier } = await startNotifying({ topics: ['versioned_notifications'] }, { providers: [Versioned] });
    await notifier.info('instance.update', payload);
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(4));
    const data = { uuid: 'i-1', flavor: { vcpus: 2 } };
    expect(takeHeard()).toEqual([['InstancePayload', '1.8', 'i-1'], [data], [payload], [data, 'instance.update']]);
  });
});

describe('which listeners run', () => {
  it('goes by priority, event type, publisher, filter and topic, in the order of registration', async () => {
    @Injectable()
    class First {
      @OnNotification('info', { eventType: 'compute.*' })
      compute() {
        heard('compute');
      }

      @OnNotification(['info', 'error'], { publisherId: /^api\./ })
      api() {
        heard('api');
      }

      @OnNotification('info', { filter: NotificationFilter.fromOslo({ event_type: 'volume' }) })
      volume() {
        heard('volume');
      }
    }
    @Controller()
    class Second {
      @OnNotification('error')
      @OnNotification('info', { eventType: 'volume.create' })
      two() {
        heard('two');
      }
    }
    const { notifier, listeners } = await startNotifying({}, { providers: [First], controllers: [Second] });
    expect(listeners.queues.toSorted()).toEqual(['notifications.error', 'notifications.info']);
    await notifier.info('compute.x', {});
    await notifier.prepare({ publisherId: 'api.h' }).info('volume.create', {});
    await notifier.prepare({ publisherId: 'api.h' }).error('network', {});
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(6));
    expect(takeHeard().flat()).toEqual(['compute', 'api', 'volume', 'two', 'api', 'two']);
  });

  it('is not decided by other names, or other instances, of a provider', async () => {
    @Injectable()
    class Listener {
      @OnNotification('info')
      on() {
        heard(this instanceof Listener);
      }
    }
    const factory = { provide: 'FACTORY', inject: [Listener], useFactory: (listener: Listener) => listener };
    const alias = { provide: 'ALIAS', useExisting: Listener };
    const providers = [Listener, alias, factory, { provide: 'VALUE', useValue: 7 }];
    const { notifier, listeners } = await startNotifying({}, { providers });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(listeners.counters.acknowledged).toBe(1));
    expect(takeHeard()).toEqual([[true]]);
  });

  it('is refused to a method that Nest would not find', () => {
    const define = (): unknown => {
      class Hidden {
        @OnNotification('info')
        [Symbol('hidden')]() {}
      }
      return Hidden;
    };
    expect(define).toThrow('is a symbol');
  });

  it('includes what a subclass inherits, and class providers under other tokens', async () => {
    class Base {
      @OnNotification('info')
      on(@Payload('x') x: number) {
        heard(this.constructor.name, x);
      }
    }
    @Injectable()
    class Derived extends Base {}
    const { notifier } = await startNotifying({}, { providers: [{ provide: 'LISTENER', useClass: Derived }] });
    await notifier.info('e', { x: 1 });
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    expect(takeHeard()).toEqual([['Derived', 1]]);
  });

  it('refuses rules beside a filter', async () => {
    @Injectable()
    class Both {
      @OnNotification('info', { eventType: 'a', filter: new NotificationFilter() })
      on() {}
    }
    await expect(startNotifying({}, { providers: [Both] })).rejects.toThrow(/Both\.on.*eventType/);
  });
});

describe('failing', () => {
  const failures: Record<string, () => unknown> = {
    'a throw': () => {
      throw new Error('no');
    },
    'a rejected promise': () => Promise.reject(new Error('no')),
    'an Observable error': () => throwError(() => new Error('no')),
  };

  it.each(Object.entries(failures))('is %s', async (_, fail) => {
    @Injectable()
    class Failing {
      @OnNotification('info')
      on() {
        return fail();
      }
    }
    const { notifier, listeners, events } = await startNotifying({}, { providers: [Failing] });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(listeners.counters).toMatchObject({ failed: 1, acknowledged: 1, requeued: 0 }));
    expect(events).toContainEqual(expect.objectContaining({ type: 'handler-failed', method: 'Failing.on' }));
    expect(events).toContainEqual(expect.objectContaining({ type: 'notification-dropped', reason: 'failed' }));
  });

  it('is logged as an error once, with its stack, and as a warning with the message', async () => {
    @Injectable()
    class Failing {
      @OnNotification('info')
      on() {
        throw new RangeError('too far');
      }
    }
    const logger = newRecordingLogger();
    onTestFinished(() => Logger.overrideLogger(false));
    const { notifier } = await startNotifying({ logEvents: true }, { providers: [Failing], logger });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(logger.warn).toHaveBeenCalled());
    expect(logger.error.mock.calls.map(([error]) => error)).toEqual([new RangeError('too far')]);
    expect(logger.warn.mock.calls).toEqual([[expect.stringMatching(/ e .*Failing\.on/), 'OsloNotificationListener']]);
  });

  it.each([
    ['nothing', undefined],
    ['an empty stream', EMPTY],
    ['a stream of values', of(1, 2)],
    ['a stream that ends handled', of(NotificationResult.REQUEUE, NotificationResult.HANDLED)],
  ])('is not %s', async (_, answer) => {
    @Injectable()
    class Fine {
      @OnNotification('info', { allowRequeue: true })
      on() {
        return answer;
      }
    }
    const { notifier, listeners } = await startNotifying({}, { providers: [Fine] });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(listeners.counters).toMatchObject({ acknowledged: 1 }));
    expect(listeners.counters).toMatchObject({ handled: 1, failed: 0, requeued: 0 });
  });

  it('requeues where it may, up to the limit, and hands over the dead letter', async () => {
    @Injectable()
    class Asking {
      @OnNotification('info', { allowRequeue: true })
      answers() {
        return of(NotificationResult.REQUEUE);
      }

      @OnNotification('error', { allowRequeue: true })
      asks(@Ctx() context: OsloNotificationContext) {
        context.requeue();
      }

      @OnNotification('warn', { allowRequeue: true, batch: { size: 2, timeoutMs: 10 } })
      batch(notifications: OsloNotification[]) {
        notifications.find(({ payload }) => payload === 'bad')?.requeue();
      }
    }
    const onDeadLetter = vi.fn<(letter: { notification: OsloNotification }) => void>();
    const options = { requeueLimit: 1, requeueBackoffMs: 1, onDeadLetter };
    const { notifier, listeners } = await startNotifying(options, { providers: [Asking] });
    await notifier.info('answered', {});
    await notifier.error('asked', {});
    await notifier.warn('batched', 'good');
    await notifier.warn('batched', 'bad');
    await vi.waitFor(() => expect(onDeadLetter).toHaveBeenCalledTimes(3));
    expect(onDeadLetter.mock.calls.map(([{ notification }]) => notification.eventType).toSorted()).toEqual([
      'answered',
      'asked',
      'batched',
    ]);
    expect(listeners.counters).toMatchObject({ requeued: 3, deadLettered: 3 });
  });
});

describe('what Nest puts around handlers', () => {
  @Injectable()
  class Refusing implements CanActivate {
    canActivate(execution: ExecutionContext): boolean {
      heard('guard', execution.getType(), execution.getHandler().name, execution.getClass().name);
      return execution.switchToRpc().getContext<OsloNotificationContext>().eventType !== 'forbidden';
    }
  }
  @Injectable()
  class Doubling implements NestInterceptor {
    intercept: NestInterceptor['intercept'] = (_, next) =>
      next.handle().pipe(map((value) => (value === 'again' ? NotificationResult.REQUEUE : value)));
  }
  @Injectable()
  class Trimming {
    transform(value: unknown): unknown {
      return typeof value === 'string' ? value.trim() : value;
    }
  }
  @Catch(RangeError)
  class Forgiving implements ExceptionFilter {
    catch(error: RangeError): string {
      heard('forgiven', error.message);
      return NotificationResult.HANDLED;
    }
  }
  @Catch(TypeError)
  class Streaming implements ExceptionFilter {
    catch = (error: TypeError) => throwError(() => error);
  }

  function listening(decorate: ClassDecorator) {
    class Listener {
      @OnNotification('info', { allowRequeue: true })
      @UsePipes(Trimming)
      on(payload: string) {
        heard('on', payload);
        if (payload === 'range') throw new RangeError('too far');
        if (payload === 'type') throw new TypeError('wrong');
        return payload;
      }
    }
    for (const each of [UseGuards(Refusing), UseInterceptors(Doubling), UseFilters(Forgiving, Streaming)]) {
      each(Listener);
    }
    decorate(Listener);
    return Listener;
  }

  it.each(['controllers', 'providers'])('works on %s', async (kind) => {
    const Listener = listening(kind === 'controllers' ? Controller() : Injectable());
    const options = { requeueLimit: 1, requeueBackoffMs: 1 };
    const { notifier, listeners } = await startNotifying(options, { [kind]: [Listener] });
    await notifier.info('forbidden', 'x');
    await vi.waitFor(() => expect(listeners.counters.deadLettered).toBe(1));
    expect(takeHeard()).toEqual(Array.from({ length: 2 }, () => ['guard', 'rpc', 'on', 'Listener']));
    await notifier.info('e', ' fine ');
    await notifier.info('e', 'range');
    await vi.waitFor(() => expect(listeners.counters.acknowledged).toBe(3));
    expect(takeHeard().filter(([what]) => what !== 'guard')).toEqual([
      ['on', 'fine'],
      ['on', 'range'],
      ['forgiven', 'too far'],
    ]);
    await notifier.info('e', 'again');
    await notifier.info('e', 'type');
    await vi.waitFor(() => expect(listeners.counters.deadLettered).toBe(3));
    expect(takeHeard().filter(([what]) => what === 'on')).toHaveLength(4);
  });
});

describe('scopes', () => {
  it('makes a request-scoped listener anew for each notification, with the context as REQUEST', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Facts {
      constructor(@Inject(REQUEST) readonly request: OsloNotificationContext) {}
    }
    @Injectable()
    class Scoped {
      private calls = 0;
      constructor(
        private readonly facts: Facts,
        private readonly moduleRef: ModuleRef,
      ) {}

      @OnNotification('info')
      async on(@Payload() payload: unknown, @Ctx() context: OsloNotificationContext) {
        this.calls += 1;
        const again = await this.moduleRef.resolve(Facts, ContextIdFactory.getByRequest(context));
        heard(payload, this.calls, this.facts.request === context, again === this.facts);
      }
    }
    @Controller({ scope: Scope.REQUEST })
    class ScopedController {
      @OnNotification('info')
      on(@Payload() payload: unknown) {
        heard(this instanceof ScopedController, payload);
      }
    }
    const parts = { providers: [Scoped, Facts], controllers: [ScopedController] };
    const { notifier } = await startNotifying({}, parts);
    await notifier.info('e', 1);
    await notifier.info('e', 2);
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(4));
    expect(takeHeard()).toEqual([
      [1, 1, true, true],
      [true, 1],
      [2, 1, true, true],
      [true, 2],
    ]);
  });

  it('applies request-scoped guards', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class ScopedGuard implements CanActivate {
      constructor(@Inject(REQUEST) private readonly request: OsloNotificationContext) {}
      canActivate(): boolean {
        return this.request.eventType !== 'forbidden';
      }
    }
    @Controller()
    @UseGuards(ScopedGuard)
    class Guarded {
      @OnNotification('info')
      on(@Ctx() { eventType }: OsloNotificationContext) {
        heard(eventType);
      }
    }
    const { notifier, listeners } = await startNotifying({}, { controllers: [Guarded] });
    await notifier.info('forbidden', {});
    await notifier.info('allowed', {});
    await vi.waitFor(() => expect(listeners.counters.acknowledged).toBe(2));
    expect(takeHeard()).toEqual([['allowed']]);
    expect(listeners.counters).toMatchObject({ failed: 1, handled: 1 });
  });

  it('shares the durable part of a tree', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Tenant {
      private calls = 0;
      constructor(@Inject(REQUEST) private readonly request: { tenant: string }) {}

      @OnNotification('info')
      on() {
        this.calls += 1;
        heard(this.request.tenant, this.calls);
      }
    }
    const parents = new Map<unknown, ReturnType<typeof ContextIdFactory.create>>();
    const attach: ContextIdStrategy['attach'] = (contextId, { requestContext }: OsloNotificationContext) => {
      const tenant = requestContext.project_id;
      const parent = parents.get(tenant) ?? ContextIdFactory.create();
      parents.set(tenant, parent);
      return { resolve: ({ isTreeDurable }) => (isTreeDurable ? parent : contextId), payload: { tenant } };
    };
    ContextIdFactory.apply({ attach });
    onTestFinished(() => ContextIdFactory.apply(undefined as never));
    const { notifier } = await startNotifying({}, { providers: [Tenant] });
    for (const project_id of ['a', 'b', 'a']) await notifier.info('e', {}, { context: { project_id } });
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(3));
    expect(takeHeard()).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ]);
  });

  it('constructs transient listeners', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      private readonly made = true;

      @OnNotification('info')
      on() {
        heard(this.made);
      }
    }
    const { notifier } = await startNotifying({}, { providers: [Transient] });
    await notifier.info('e', {});
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    expect(takeHeard()).toEqual([[true]]);
  });
});

it('names the method whose priority there is not, and those that there are', async () => {
  @Injectable()
  class Listener {
    @OnNotification('warning' as 'warn')
    on() {
      heard();
    }
  }
  await expect(startNotifying({}, { providers: [Listener] })).rejects.toThrow(
    /Listener\.on listens to 'warning', which is no priority: use .*warn, error/,
  );
});
