import { Injectable } from '@nestjs/common';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { ON_NOTIFICATION, type OnNotificationMetadata, PLAIN_ARGUMENTS } from './on-notification.decorator.js';

/** Reads what `@OnNotification()` wrote. */
@Injectable()
export class NotificationMetadataAccessor {
  /** In the order of the decorators. */
  listenersOf(method: object): readonly OnNotificationMetadata[] {
    return (Reflect.getMetadata(ON_NOTIFICATION, method) as OnNotificationMetadata[] | undefined) ?? [];
  }

  /** The key under which Nest finds the arguments of a method. */
  argumentsKeyOf(listener: object, methodName: string): string {
    const isDecorated = Reflect.hasMetadata(PARAM_ARGS_METADATA, listener.constructor, methodName);
    return isDecorated ? PARAM_ARGS_METADATA : PLAIN_ARGUMENTS;
  }
}
