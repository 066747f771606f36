import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import type { NotificationFilter, NotificationFilterOptions } from '../../notify/filter/notification-filter.js';
import type { BatchRegistration } from '../../notify/listener/notification-registration.js';
import { type InstanceWrapper, type ListenerCall, ListenerHandlers } from './listener-handlers.js';
import { NotificationMetadataAccessor } from './notification-metadata.accessor.js';
import type { OnNotificationMetadata, OnNotificationOptions } from './on-notification.decorator.js';

/** One `@OnNotification()` of a method in this application. */
export interface FoundListener
  extends Omit<BatchRegistration, 'batch' | 'handler'>, Pick<OnNotificationOptions, 'batch' | 'versioned'> {
  readonly call: ListenerCall;
}

/** Finds the methods of providers and controllers that listen. */
@Injectable()
export class NotificationExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly accessor: NotificationMetadataAccessor,
    private readonly handlers: ListenerHandlers,
  ) {}

  /**
   * In the order of modules, classes, methods and decorators.
   *
   * @throws ConfigurationError
   */
  explore(): FoundListener[] {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    const known = new Set<unknown>();
    return wrappers
      .filter((wrapper) => isOriginal(wrapper))
      .filter(({ instance }) => !known.has(instance) && known.add(instance))
      .flatMap((wrapper) => this.listenersOf(wrapper));
  }

  private listenersOf(wrapper: InstanceWrapper): FoundListener[] {
    const { instance } = wrapper as { instance: object };
    const prototype = Object.getPrototypeOf(instance) as object | null;
    if (!prototype) return [];
    return this.scanner.getAllMethodNames(prototype).flatMap((name) => {
      const method = (prototype as Record<string, object>)[name]!;
      return this.accessor.listenersOf(method).map((metadata) => this.found(wrapper, name, metadata));
    });
  }

  private found(wrapper: InstanceWrapper, methodName: string, metadata: OnNotificationMetadata): FoundListener {
    const instance = wrapper.instance as object;
    const { topics, exchange, pool, allowRequeue, batch, concurrency, versioned } = metadata.options;
    const name = `${instance.constructor.name}.${methodName}`;
    const argumentsKey = this.accessor.argumentsKeyOf(instance, methodName);
    return {
      name,
      priorities: metadata.priorities,
      filter: filterOf(metadata.options, name),
      ...{ topics, exchange, pool, allowRequeue, batch, concurrency, versioned },
      call: this.handlers.callOf({ wrapper, name: methodName, argumentsKey }),
    };
  }
}

/** Other names of a provider, and values without methods, listen to nothing of their own. */
function isOriginal({ instance, isAlias }: InstanceWrapper): boolean {
  return !isAlias && typeof instance === 'object' && instance !== null;
}

function filterOf(options: OnNotificationOptions, name: string): NotificationFilter | NotificationFilterOptions {
  const { eventType, publisherId, context, metadata, payload, filter } = options;
  const rules = { eventType, publisherId, context, metadata, payload };
  if (!filter) return rules;
  const [given] = Object.entries(rules).flatMap(([field, rule]) => (rule === undefined ? [] : [field]));
  if (given === undefined) return filter;
  throw new ConfigurationError(`${name} has a filter, and a rule for ${given} beside it`, given);
}
