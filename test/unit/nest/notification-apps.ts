import type { INestApplicationContext, LoggerService, ModuleMetadata, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { onTestFinished, vi } from 'vitest';
import {
  type MessagingEvent,
  NotificationListeners,
  NotificationModule,
  type NotificationModuleOptions,
  Notifier,
} from '../../../lib/index.js';
import { moduleOf, newBusUrl } from './nest-apps.js';

export interface NotifyingApp {
  app: INestApplicationContext;
  notifier: Notifier;
  listeners: NotificationListeners;
  events: MessagingEvent[];
}

export interface AppParts extends Omit<ModuleMetadata, 'exports'> {
  logger?: LoggerService | false;
}

/** The root module of an application that notifies and listens. */
export function notifyingModule(options: NotificationModuleOptions, { imports = [], ...parts }: AppParts): Type {
  const own = NotificationModule.forRoot({ transportUrl: newBusUrl(), logEvents: false, ...options });
  return moduleOf({ imports: [own, ...imports], providers: parts.providers, controllers: parts.controllers });
}

/** An application on the embedded bus, unless the options say otherwise; no server, no HTTP. */
export async function startNotifying(options: NotificationModuleOptions, parts: AppParts): Promise<NotifyingApp> {
  const module = notifyingModule(options, parts);
  const app = await NestFactory.createApplicationContext(module, { logger: parts.logger ?? false });
  onTestFinished(() => app.close());
  const listeners = app.get(NotificationListeners);
  const notifier = app.get(Notifier);
  const events: MessagingEvent[] = [];
  listeners.events.subscribe((event) => events.push(event));
  return { app, notifier, listeners, events };
}

/** A logger that remembers. */
export function newRecordingLogger() {
  const write = () => vi.fn<(message: unknown, ...parameters: unknown[]) => void>();
  return { log: write(), warn: write(), error: write(), debug: write(), fatal: write(), verbose: write() };
}
