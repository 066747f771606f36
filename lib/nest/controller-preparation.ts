import { EXCEPTION_FILTERS_METADATA, INTERCEPTORS_METADATA } from '@nestjs/common/internal';
import { MetadataScanner } from '@nestjs/core';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { ErrorKeeperFilter } from './error-keeper.filter.js';
import { ErrorKeeperInterceptor } from './error-keeper.interceptor.js';
import { nameHandler } from './handler-names.js';

type ControllerClass = { readonly name: string; readonly prototype: object };

const keeper = new ErrorKeeperInterceptor();
const lastFilter = new ErrorKeeperFilter();
const scanner = new MetadataScanner();

/**
 * Puts the error keepers before a controller's interceptors and behind its filters, where it has message
 * patterns, and remembers its handlers' names. As metadata of the class, for that is what every form of
 * Nest application reads: global enhancers do not reach hybrid ones. Once per class, however often it is called.
 */
export function prepareController(controller: unknown): void {
  if (!isClass(controller)) return;
  const handlers = messageHandlersOf(controller);
  if (handlers.length === 0) return;
  for (const { name, extras } of handlers) if (extras) nameHandler(extras, `${controller.name}.${name}`);
  putFirst(controller, INTERCEPTORS_METADATA, keeper);
  // Nest asks the filters of a class in reverse.
  putFirst(controller, EXCEPTION_FILTERS_METADATA, lastFilter);
}

function putFirst(controller: ControllerClass, metadataKey: string, enhancer: object): void {
  const enhancers: unknown[] = Reflect.getMetadata(metadataKey, controller) ?? [];
  if (enhancers.includes(enhancer)) return;
  Reflect.defineMetadata(metadataKey, [enhancer, ...enhancers], controller);
}

function messageHandlersOf({ prototype }: ControllerClass): { name: string; extras?: object }[] {
  return scanner.getAllMethodNames(prototype).flatMap((name) => {
    const method = (prototype as Record<string, object>)[name]!;
    if (!Reflect.hasMetadata(PATTERN_METADATA, method)) return [];
    return [{ name, extras: Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as object | undefined }];
  });
}

function isClass(value: unknown): value is ControllerClass {
  return typeof value === 'function' && typeof value.prototype === 'object';
}
