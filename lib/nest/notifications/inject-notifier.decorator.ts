import { Inject } from '@nestjs/common';

/**
 * The token of a notifier of `NotificationModule.forFeature`, for `overrideProvider` in tests or `ModuleRef.get`.
 *
 * @publicApi
 */
export function getNotifierToken(name: string | symbol): string | symbol {
  return typeof name === 'symbol' ? name : `Notifier(${name})`;
}

/**
 * Injects the `Notifier` that `NotificationModule.forFeature` made under this name.
 *
 * @publicApi
 */
export const InjectNotifier = (name: string | symbol): ParameterDecorator & PropertyDecorator =>
  Inject(getNotifierToken(name));
