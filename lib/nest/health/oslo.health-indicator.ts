import { Injectable } from '@nestjs/common';
import type { HealthSnapshot } from '../../events/health-snapshot.js';
import { HealthSources, type OsloHealthSource } from './health-sources.js';

/**
 * One server, client, notifier, or all listeners of an application.
 *
 * @publicApi
 */
export type OsloHealthPart = HealthSnapshot & {
  /** Exchange and topic of a server; of others the name under which they are injected. */
  readonly name: string;
};

/**
 * The result that `@nestjs/terminus` makes its answer of. Names and states only: no URL, no host, no error.
 *
 * @publicApi
 */
export type OsloHealthResult<Key extends string = string> = Record<
  Key,
  {
    status: 'down' | 'up';
    /** Of `down`: what is wrong. */
    message?: string;
    parts: OsloHealthPart[];
  }
>;

/**
 * Tells `@nestjs/terminus` whether this application can do its work on the bus: a readiness probe.
 *
 * It looks at live state, so it makes no connection, sends nothing and takes no time. Servers, clients,
 * notifiers and listeners come back by themselves: nothing that it sees is mended by a restart, and a
 * liveness probe leaves it out. There to be injected wherever `OsloRpcModule` or `NotificationModule` is imported.
 *
 * @example
 * ```ts
 * constructor(private readonly health: HealthCheckService, private readonly oslo: OsloHealthIndicator) {}
 *
 * @Get('ready')
 * @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.oslo.check('oslo')]);
 * }
 * ```
 *
 * @hideconstructor
 * @publicApi
 */
@Injectable()
export class OsloHealthIndicator {
  constructor(private readonly sources: HealthSources) {}

  /**
   * `up` when each part is connected, consumes its queues (a client: its reply queue), is not blocked by a memory or
   * disk alarm of the broker, does not drain and, a server, has not had all its handler slots taken for 10 seconds.
   *
   * @param chosen all there are in the application, unless some are named
   */
  check<const Key extends string>(key: Key, chosen?: readonly OsloHealthSource[]): OsloHealthResult<Key> {
    const found = this.sources.find();
    const parts = [...(chosen ?? found.keys())].flatMap((source) => partOf(source, found.get(source)));
    const problems = parts.flatMap(problemOf);
    const detail =
      problems.length === 0
        ? { status: 'up' as const, parts }
        : { status: 'down' as const, message: problems.join('; '), parts };
    return { [key]: detail } as OsloHealthResult<Key>;
  }
}

function partOf(source: OsloHealthSource, name = source.constructor.name): OsloHealthPart[] {
  const { health } = source;
  return health ? [{ name, ...health }] : [];
}

function problemOf({ name, connected, consuming, blocked, draining, saturated }: OsloHealthPart): string[] {
  if (draining) return [`${name} is draining`];
  if (!connected) return [`${name} is not connected`];
  if (consuming === false) return [`${name} does not consume its queues`];
  if (blocked) return [`${name} is blocked by the broker`];
  return saturated ? [`${name} has no free handler slot`] : [];
}
