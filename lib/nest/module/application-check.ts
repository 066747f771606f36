import { inspect } from 'node:util';
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type ApplicationConfig, HttpAdapterHost, MetadataScanner, ModuleRef, ModulesContainer } from '@nestjs/core';
import { PARAM_ARGS_METADATA, PATTERN_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import { NotificationListeners } from '../listeners/notification-listeners.js';
import { ON_NOTIFICATION } from '../listeners/on-notification.decorator.js';
import { hasExpectedExceptions } from '../server/expected-exceptions.decorator.js';
import { isOsloEndpoint } from '../server/oslo-endpoint.decorator.js';
import { osloMethodOf } from '../server/oslo-method.decorator.js';
import { OsloRpcStrategy } from '../server/oslo-rpc-strategy.js';
import { ServerOsloRpc, type ServerWatcher } from '../server/server-oslo-rpc.js';
import { readPattern } from '../shared/oslo-rpc.pattern.js';
import { GlobalEnhancers, type InheritedEnhancers } from './global-enhancers.js';

type Class = { readonly name: string; readonly prototype: object };
type Target = { readonly transportId?: unknown };

interface Method {
  readonly owner: Class;
  readonly name: string;
  readonly value: object;
}

/** Says at the start what an application will not do, and what to do about it: a line for each, once. */
@Injectable()
export class ApplicationCheck implements OnApplicationBootstrap {
  private readonly logger = new Logger('OsloRpcModule');
  private readonly scanner = new MetadataScanner();
  private readonly said = new Set<string>();
  private readonly enhancers: GlobalEnhancers;
  private readonly inherited = new Map<ServerOsloRpc, InheritedEnhancers>();
  private readonly unstarted = new Set<ServerOsloRpc>();

  constructor(
    private readonly modules: ModulesContainer,
    private readonly http: HttpAdapterHost,
    own: ModuleRef,
  ) {
    const { container } = own as unknown as { container: { applicationConfig: ApplicationConfig } };
    this.enhancers = new GlobalEnhancers(container.applicationConfig);
  }

  /** Tells the check what Nest does with a server. */
  watcherOf(server: ServerOsloRpc): ServerWatcher {
    const inherited = this.enhancers.watch();
    this.inherited.set(server, inherited);
    this.unstarted.add(server);
    return { handlerAdded: () => inherited.handlerAdded(), listening: () => this.started(server) };
  }

  /** Microservices are connected until an application listens; one that never does serves nothing on purpose. */
  onApplicationBootstrap(): void {
    for (const method of this.methods(this.classes('controllers'))) this.checkControllerMethod(method);
    const controllers = new Set(this.classes('controllers'));
    const providers = this.classes('providers').filter((provider) => !controllers.has(provider));
    for (const method of this.methods(providers)) this.checkProviderMethod(method);
    for (const provider of providers) if (isOsloEndpoint(provider)) this.checkProviderClass(provider);
    if (this.targets().length > 0) this.checkServed();
    if (this.http.httpAdapter) this.http.listen$.subscribe(() => this.applicationListens());
  }

  private started(server: ServerOsloRpc): void {
    this.unstarted.delete(server);
    this.checkServed();
  }

  private applicationListens(): void {
    this.checkServed();
    if (this.unstarted.size === 0) return;
    this.say(
      'The application listens, and its ServerOsloRpc is not started yet: it serves nothing before app.startAllMicroservices(). ' +
        'Write await app.startAllMicroservices() before app.listen()',
    );
  }

  private checkServed(): void {
    const targets = this.targets();
    for (const method of this.methods(this.classes('controllers'))) this.checkPatterns(method, targets);
    for (const inherited of this.inherited.values()) this.checkEnhancers(inherited);
  }

  private checkProviderClass({ name }: Class): void {
    this.say(`${name} is an @OsloEndpoint() under 'providers', where nothing serves it: list it under 'controllers'`);
  }

  private checkProviderMethod(method: Method): void {
    const { owner, value } = method;
    if (osloMethodOf(value) && !isOsloEndpoint(owner)) {
      this.say(
        `${place(method)} is an @OsloMethod() of a provider, and nothing serves it: make ${owner.name} an @OsloEndpoint(), ` +
          "and list it under 'controllers'",
      );
    }
    this.checkMethod(method);
  }

  private checkControllerMethod(method: Method): void {
    const { owner, value } = method;
    if (osloMethodOf(value) && !isOsloEndpoint(owner)) {
      this.sayCalmly(
        `${place(method)} is an @OsloMethod() outside of an @OsloEndpoint(): it is served in the null namespace. For a ` +
          `namespace and a version make ${owner.name} an @OsloEndpoint({ namespace, version })`,
      );
    }
    if (patternsOf(value).some((pattern) => readPattern(pattern))) this.checkParameters(method, [0]);
    this.checkMethod(method);
  }

  private checkMethod(method: Method): void {
    const { value } = method;
    const listens = Reflect.hasMetadata(ON_NOTIFICATION, value);
    if (hasExpectedExceptions(value) && !listens && patternsOf(value).length === 0) {
      this.say(
        `${place(method)} has @ExpectedExceptions(), and nothing calls it: give it an @OsloMethod() or a @MessagePattern()`,
      );
    }
    if (!listens) return;
    this.checkParameters(method, [0, 1]);
    if ([...this.modules.values()].some(({ providers }) => providers.has(NotificationListeners))) return;
    this.say(
      `${place(method)} listens with @OnNotification(), and there is nobody to call it: import ` +
        'NotificationModule.forRoot({ transportUrl }) into the root module',
    );
  }

  /** Nest gives a parameter without a decorator nothing; `plain` are those that it does, where none has one. */
  private checkParameters(method: Method, plain: readonly number[]): void {
    const { owner, name, value } = method;
    const types = (Reflect.getMetadata('design:paramtypes', owner.prototype, name) as unknown[] | undefined) ?? [];
    const count = Math.max((value as () => unknown).length, types.length);
    if (count < 2) return;
    const metadata: unknown = Reflect.getMetadata(PARAM_ARGS_METADATA, owner, name);
    const decorated = metadata
      ? Object.values(metadata as Record<string, { index: number }>).map(({ index }) => index)
      : plain;
    const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !decorated.includes(index));
    if (missing.length === 0) return;
    const numbers = missing.map((index) => index + 1).join(', ');
    this.say(
      `${place(method)} declares ${count} parameters, and number ${numbers} will be undefined: keyword arguments come as one object, ` +
        "so write @Payload('name') before each, or @Payload() for all of them, and @Ctx() for the context",
    );
  }

  private checkPatterns(method: Method, targets: readonly Target[]): void {
    const transport: unknown = Reflect.getMetadata(TRANSPORT_METADATA, method.value);
    for (const pattern of patternsOf(method.value)) {
      if (targets.some((target) => isServedBy(target, pattern, transport))) continue;
      this.say(
        `${place(method)}: no transport of this application serves ${shownPattern(pattern)}${remedy(pattern, transport, targets)}`,
      );
    }
  }

  private checkEnhancers(inherited: InheritedEnhancers): void {
    if (!inherited.areInherited && !this.hasStaticHandlers()) return;
    const missing = inherited.missing();
    if (missing.length === 0) return;
    const remedyFor = inherited.areInherited
      ? 'call useGlobalGuards() and the like before connectMicroservice()'
      : 'app.connectMicroservice({ strategy }, { inheritAppConfig: true }) applies them here as well; or put the guards on the controllers';
    this.say(`Requests from the bus do not go through global ${missing.join('; ')} of this application: ${remedyFor}`);
  }

  /** For those of request-scoped controllers Nest reads nothing before they are called. */
  private hasStaticHandlers(): boolean {
    return [...this.modules.values()].some(({ controllers }) =>
      [...controllers.values()].some(
        (wrapper) =>
          wrapper.isDependencyTreeStatic() &&
          isClass(wrapper.metatype) &&
          this.methods([wrapper.metatype]).some(({ value }) =>
            patternsOf(value).some((pattern) => readPattern(pattern)),
          ),
      ),
    );
  }

  private targets(): Target[] {
    const targets: Target[] = [];
    this.modules
      .getRpcTargetRegistry<Target>()
      .subscribe((target) => targets.push(target))
      .unsubscribe();
    return targets;
  }

  private classes(kind: 'controllers' | 'providers'): Class[] {
    const found = [...this.modules.values()].flatMap((module) =>
      [...module[kind].values()].map(({ metatype }): unknown => metatype),
    );
    return [...new Set(found.filter((one): one is Class => isClass(one)))];
  }

  private methods(classes: readonly Class[]): Method[] {
    return classes.flatMap((owner) =>
      this.scanner.getAllMethodNames(owner.prototype).flatMap((name) => {
        const value = (owner.prototype as Record<string, object>)[name]!;
        return typeof value === 'function' ? [{ owner, name, value }] : [];
      }),
    );
  }

  private say(line: string): void {
    if (!this.said.has(line)) this.logger.warn(line);
    this.said.add(line);
  }

  private sayCalmly(line: string): void {
    if (!this.said.has(line)) this.logger.log(line);
    this.said.add(line);
  }
}

function isServedBy(target: Target, pattern: unknown, transport: unknown): boolean {
  const { transportId } = target;
  if (transport !== undefined && transportId !== undefined && transport !== transportId) return false;
  const isOurs = target instanceof ServerOsloRpc || target instanceof OsloRpcStrategy;
  return !isOurs || readPattern(pattern) !== undefined;
}

function remedy(pattern: unknown, transport: unknown, targets: readonly Target[]): string {
  if (targets.length === 0) {
    return (
      '. Write OsloRpcModule.forRoot({ …, serve: { topic } }), app.connectMicroservice({ strategy: OsloRpcModule.strategy() }), ' +
      'and await app.startAllMicroservices() before app.listen()'
    );
  }
  if (transport === undefined) {
    return '. For oslo.messaging it must be an identifier, or an object with a method: @MessagePattern({ method, namespace, version })';
  }
  const known = targets.map(({ transportId }) => String(transportId)).join(', ');
  return `: it is for the transport ${inspect(transport)}, and there is ${known}. Give both the same transportId`;
}

function shownPattern(pattern: unknown): string {
  const read = readPattern(pattern);
  if (!read) return inspect(pattern, { breakLength: Infinity });
  return `'${read.namespace ? `${read.namespace}.` : ''}${read.method}'`;
}

function patternsOf(method: object): readonly unknown[] {
  return (Reflect.getMetadata(PATTERN_METADATA, method) as unknown[] | undefined) ?? [];
}

function place({ owner, name }: Method): string {
  return `${owner.name}.${name}`;
}

function isClass(value: unknown): value is Class {
  return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null;
}
