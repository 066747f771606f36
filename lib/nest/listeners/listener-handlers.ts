import { Injectable } from '@nestjs/common';
import { ContextIdFactory, type DiscoveryService, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { ListenerContextCreator } from './listener-context-creator.js';
import { ListenerParamsFactory } from './listener-params.factory.js';
import type { OsloNotificationContext } from './notification.context.js';

export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method that listens. */
export interface ListenerMethod {
  readonly wrapper: InstanceWrapper;
  readonly name: string;
  /** The key under which Nest finds its arguments. */
  readonly argumentsKey: string;
}

/** A listener's method with its pipes, guards, interceptors and filters. */
export type ListenerCall = (payload: unknown, context: OsloNotificationContext) => Promise<unknown>;

type Instance = Record<string, (...args: unknown[]) => unknown>;
type ContextId = ReturnType<typeof ContextIdFactory.create>;

/** Makes callable what listens; of a request-scoped class, an instance for each message. */
@Injectable()
export class ListenerHandlers {
  private readonly params = new ListenerParamsFactory();

  constructor(private readonly creator: ExternalContextCreator) {}

  callOf(method: ListenerMethod): ListenerCall {
    const { wrapper } = method;
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
      return this.bound(method, wrapper.instance as Instance);
    }
    return (payload, context) => this.callScoped(method, payload, context);
  }

  private bound({ wrapper, name, argumentsKey }: ListenerMethod, instance: Instance, contextId?: ContextId) {
    const creator = ListenerContextCreator.inside(wrapper.host!.token, this.creator);
    const inquirer = contextId && wrapper.id;
    const method = instance[name]!;
    return creator.create(instance, method, name, argumentsKey, this.params, contextId, inquirer, undefined, 'rpc');
  }

  private async callScoped(method: ListenerMethod, payload: unknown, context: OsloNotificationContext) {
    const { wrapper } = method;
    const moduleRef = wrapper.host!.getProviderByKey<ModuleRef>(ModuleRef).instance;
    const contextId = contextIdOf(context, wrapper, moduleRef);
    const instance = await moduleRef.resolve<Instance>(wrapper.token as string, contextId);
    return this.bound(method, instance, contextId)(payload, context);
  }
}

/** As Nest does for requests: found again by `ContextIdFactory.getByRequest`, its durable part shared. */
function contextIdOf(context: OsloNotificationContext, wrapper: InstanceWrapper, moduleRef: ModuleRef): ContextId {
  const contextId = ContextIdFactory.getByRequest(context);
  Object.defineProperty(context, REQUEST_CONTEXT_ID, { value: contextId });
  const { payload } = contextId;
  const request: unknown = wrapper.isDependencyTreeDurable() ? payload : Object.assign(context, payload);
  moduleRef.registerRequestByContextId(request, contextId);
  return contextId;
}
