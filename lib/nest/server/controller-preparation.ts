import type { ExceptionFilter } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { ExpectedErrorFilter, witnessOf } from './errors/error-keeper.filter.js';
import { nameHandler } from './handler-names.js';

type ControllerClass = { readonly name: string; readonly prototype: object };

/** One per method. */
const witnesses = new WeakMap<object, ExceptionFilter>();
const lastFilter = new ExpectedErrorFilter();
const scanner = new MetadataScanner();

/**
 * Puts the error keepers around a controller's filters, where it has message patterns, and remembers its handlers' names. As metadata of the class, for that is what every form of
 * Nest application reads: global enhancers do not reach hybrid ones. Once per class, however often it is called.
 */
export function prepareController(controller: unknown): void {
  if (!isClass(controller)) return;
  const handlers = messageHandlersOf(controller);
  if (handlers.length === 0) return;
  for (const { name, extras } of handlers) if (extras) nameHandler(extras, `${controller.name}.${name}`);
  // Nest asks filters in reverse, those of the method before those of the class.
  for (const { method, extras } of handlers) putLast(method, EXCEPTION_FILTERS_METADATA, witnessFor(method, extras));
  putFirst(controller, EXCEPTION_FILTERS_METADATA, lastFilter);
}

function witnessFor(method: object, extras: object | undefined): ExceptionFilter {
  const witness = witnesses.get(method) ?? witnessOf(extras);
  witnesses.set(method, witness);
  return witness;
}

function putFirst(target: object, metadataKey: string, enhancer: object): void {
  put(target, metadataKey, enhancer, (enhancers) => [enhancer, ...enhancers]);
}

function putLast(target: object, metadataKey: string, enhancer: object): void {
  put(target, metadataKey, enhancer, (enhancers) => [...enhancers, enhancer]);
}

function put(target: object, metadataKey: string, enhancer: object, together: (all: unknown[]) => unknown[]): void {
  const enhancers: unknown[] = Reflect.getMetadata(metadataKey, target) ?? [];
  // Others may have been put there since the last time.
  const others = enhancers.filter((one) => one !== enhancer);
  Reflect.defineMetadata(metadataKey, together(others), target);
}

function messageHandlersOf({ prototype }: ControllerClass): { name: string; method: object; extras?: object }[] {
  return scanner.getAllMethodNames(prototype).flatMap((name) => {
    const method = (prototype as Record<string, object>)[name]!;
    if (!Reflect.hasMetadata(PATTERN_METADATA, method)) return [];
    return [{ name, method, extras: Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as object | undefined }];
  });
}

function isClass(value: unknown): value is ControllerClass {
  return typeof value === 'function' && typeof value.prototype === 'object';
}
