import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../errors/configuration.errors.js';
import type { ClientOsloRpcOptions } from '../nest/client/client-oslo-rpc-options.js';
import type { AnyOsloApi } from '../nest/client/oslo-api.js';
import { OsloClient } from '../nest/client/oslo-client.js';
import type { ServerOsloRpc } from '../nest/server/server-oslo-rpc.js';
import { serversOf } from '../nest/health/servers-of.js';

/**
 * Options of `createOsloTestClient`: those of a client, with the server's own bus, exchange and topic as defaults.
 *
 * @publicApi
 */
export interface OsloTestClientOptions extends ClientOsloRpcOptions {
  /** Which one to call, where an application has several. @defaultValue the only one */
  strategy?: ServerOsloRpc;
  /** Seconds that a call waits; less than in production, so that it fails before its test does. @defaultValue 3 */
  timeout?: number;
  /** @defaultValue false */
  logEvents?: boolean;
}

const ofTests = { timeout: 3, logEvents: false };

/**
 * A connected client of an application that serves with `ServerOsloRpc`, whichever way it was made:
 * a microservice, a hybrid application, or one from a `TestingModule`. Ends with the application, or by `close()`.
 *
 * @example
 * ```ts
 * const client = await createOsloTestClient<ConductorApi>(app);
 * expect(await client.call('ping', { arg: 'hi' })).toBe('pong hi');
 * ```
 *
 * @throws ConfigurationError the application has no `ServerOsloRpc`, or several and `strategy` names none
 * @throws MessageDeliveryFailure, ClosedError when the bus is not there
 * @publicApi
 */
export async function createOsloTestClient<Api extends object = AnyOsloApi>(
  app: INestApplicationContext,
  { strategy, ...options }: OsloTestClientOptions = {},
): Promise<OsloClient<Api>> {
  const server = strategy ?? onlyServerOf(app);
  const client = new OsloClient<Api>({ ...server.address, ...ofTests, ...options });
  const ending = server.status.subscribe((status) => {
    if (status === 'closed') client.close().catch(() => undefined);
  });
  client.events.subscribe((event) => {
    if (event.type === 'connection-changed' && event.to === 'closed') ending.unsubscribe();
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    ending.unsubscribe();
    await client.close();
    throw error;
  }
}

function onlyServerOf(app: INestApplicationContext): ServerOsloRpc {
  const servers = serversOf(app.get(ModulesContainer));
  const [server, another] = servers;
  if (!server) {
    throw new ConfigurationError(
      'The application serves nothing with ServerOsloRpc: make it with createNestMicroservice({ strategy }), or connectMicroservice({ strategy }) first',
    );
  }
  if (another) throw new ConfigurationError('The application has several ServerOsloRpc: name one as `strategy`');
  return server;
}
