import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import { ClientOsloRpc } from '../client/client-oslo-rpc.js';
import { NotificationListeners } from '../listeners/notification-listeners.js';
import { Notifier } from '../notifications/notifier.js';
import { OsloClient } from '../client/oslo-client.js';
import type { ServerOsloRpc } from '../server/server-oslo-rpc.js';
import { serversOf } from './servers-of.js';

/**
 * Whatever has a health: servers, clients, notifiers and listeners, with Nest and without.
 *
 * @publicApi
 */
export interface OsloHealthSource {
  /** Undefined while it has no use for a connection: a client before its first call, listeners where nobody listens. */
  readonly health: HealthSnapshot | undefined;
}

const INJECTED = [ClientOsloRpc, NotificationListeners, Notifier, OsloClient];

/** All health sources of an application, those of modules that were loaded later, too. */
@Injectable()
export class HealthSources {
  constructor(private readonly modules: ModulesContainer) {}

  /** Each with its name. */
  find(): Map<OsloHealthSource, string> {
    const found = new Map<OsloHealthSource, string>();
    for (const server of serversOf(this.modules)) found.set(server, serverName(server));
    for (const { providers } of this.modules.values()) {
      for (const provider of providers.values()) {
        if (provider.isTransient || !provider.isDependencyTreeStatic()) continue;
        const { instance }: { instance: unknown } = provider;
        if (isInjected(instance) && !found.has(instance)) found.set(instance, tokenName(provider.token));
      }
    }
    return found;
  }
}

function isInjected(instance: unknown): instance is OsloHealthSource {
  return INJECTED.some((type) => instance instanceof type);
}

function serverName({ address: { exchange, topic } }: ServerOsloRpc): string {
  return topic === undefined ? `server of ${exchange}` : `server of ${exchange}/${topic}`;
}

function tokenName(token: unknown): string {
  if (typeof token === 'function') return token.name;
  return typeof token === 'symbol' ? (token.description ?? 'client') : String(token);
}
