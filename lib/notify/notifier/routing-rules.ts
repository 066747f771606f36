import { createRequire } from 'node:module';

import { ConfigurationError } from '../../errors/configuration.errors.js';
import { textOf } from '../../errors/text-of.js';
import { Glob } from '../filter/glob.js';

/**
 * When one driver is used: both lists must pass, one that is absent does.
 *
 * @publicApi
 */
export interface RoutingRule {
  /** Globs of event types. */
  accepted_events?: readonly string[];
  /** Globs of priorities, in lower case. */
  accepted_priorities?: readonly string[];
}

/**
 * Which notification goes to which drivers, in the schema of oslo.messaging's `routing_config`: a driver is
 * used when any group says so.
 *
 * @publicApi
 */
export type RoutingConfig = Readonly<Record<string, Readonly<Record<string, RoutingRule | null>>>>;

interface Route {
  driver: string;
  /** Undefined: all. */
  events?: readonly Glob[];
  priorities?: readonly Glob[];
}

/** The rules of the driver `routing`, checked. */
export class RoutingRules {
  private readonly routes: readonly Route[];

  /** @throws ConfigurationError */
  constructor(config: RoutingConfig) {
    this.routes = entriesOf(config, 'The routing config').flatMap(([group, rules]) =>
      entriesOf(rules, `The routing group '${group}'`).map(([driver, rule]) => routeOf(driver, rule)),
    );
  }

  /** @throws ConfigurationError no YAML, or not in the schema */
  static fromYaml(text: string): RoutingRules {
    return new RoutingRules(parseYaml(text) as RoutingConfig);
  }

  /** Every driver that any rule names. */
  get drivers(): readonly string[] {
    return [...new Set(this.routes.map(({ driver }) => driver))];
  }

  /** The drivers that a notification goes to, each once. */
  driversFor(eventType: string, priority: string): readonly string[] {
    const accepting = this.routes.filter(
      ({ events, priorities }) => anyMatches(events, eventType) && anyMatches(priorities, priority.toLowerCase()),
    );
    return [...new Set(accepting.map(({ driver }) => driver))];
  }
}

function parseYaml(text: string): unknown {
  try {
    // Loaded by those alone who have such a file: it takes half as long as all the rest of this library.
    const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
    return parse(text, { logLevel: 'error' }) ?? {};
  } catch (error) {
    throw new ConfigurationError(`The routing config is no YAML: ${textOf(error)}`, undefined, { cause: error });
  }
}

function routeOf(driver: string, rule: RoutingRule | null): Route {
  if (driver === 'routing') throw new ConfigurationError("The driver 'routing' cannot route to itself", driver);
  const { accepted_events: events, accepted_priorities: priorities, ...rest } = rule ?? {};
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new ConfigurationError(`The routing rule of '${driver}' has an unknown key '${unknown}'`, unknown);
  }
  return {
    driver,
    ...(events !== undefined && { events: globsOf(driver, events) }),
    ...(priorities !== undefined && {
      priorities: globsOf(driver, priorities, (pattern) => pattern.toLowerCase()),
    }),
  };
}

function globsOf(driver: string, patterns: unknown, convert = (pattern: string): string => pattern): Glob[] {
  if (!Array.isArray(patterns) || patterns.some((pattern) => typeof pattern !== 'string')) {
    throw new ConfigurationError(`The routing rule of '${driver}' must have lists of globs`, patterns);
  }
  return (patterns as string[]).map((pattern) => new Glob(convert(pattern)));
}

function anyMatches(globs: readonly Glob[] | undefined, text: string): boolean {
  return globs === undefined || globs.some((glob) => glob.matches(text));
}

function entriesOf<T>(value: Readonly<Record<string, T>>, what: string): [string, T][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw new ConfigurationError(`${what} must be an object`, value);
}
