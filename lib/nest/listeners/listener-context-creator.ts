import { ExternalContextCreator } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { NotingErrorProxy } from './logged-errors.js';

/**
 * Nest's creator of handlers with pipes, guards, interceptors and filters, for one module.
 *
 * Nest's own looks for the module of a handler among providers only, and leaves out, silently, the guards
 * of controllers; and a stream that ends without a value is an error to it.
 */
export class ListenerContextCreator extends ExternalContextCreator {
  private moduleKey = '';

  /** There is no other way to one that shares the parts of Nest's own. */
  static inside(moduleKey: string, creator: ExternalContextCreator): ListenerContextCreator {
    const own = Object.create(ListenerContextCreator.prototype) as ListenerContextCreator;
    return Object.assign(own, creator, { moduleKey, externalErrorProxy: new NotingErrorProxy() });
  }

  override getContextModuleKey(): string {
    return this.moduleKey;
  }

  override async transformToResult(result: unknown): Promise<unknown> {
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  }
}
