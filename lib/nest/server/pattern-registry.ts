import type { MessageHandler } from '@nestjs/microservices';
import { ConfigurationError, InvalidTarget } from '../../errors/configuration.errors.js';
import { checkApiVersion, highestVersion } from '../../wire/rpc/api-version.js';
import { ANY_METHOD } from '../shared/nest.constants.js';
import type { OsloRpcPattern } from '../shared/oslo-rpc.pattern.js';

/** One handler, as Nest registered it. */
export interface ServedHandler {
  readonly pattern: OsloRpcPattern;
  readonly callback: MessageHandler;
  readonly isEvent: boolean;
  /** `Class.method`, where it is known. */
  readonly name?: string;
}

/** The handlers of one major version of one namespace of one topic, which are served together. */
export interface ServedInterface {
  readonly exchange: string;
  readonly topic: string;
  readonly namespace: string | null;
  /** The highest that a pattern names. */
  readonly version: string;
  /** `ANY_METHOD` stands alone in an interface of its own. */
  readonly methods: ReadonlyMap<string, readonly ServedHandler[]>;
}

/** The fields that a pattern may leave out. */
export interface PatternDefaults {
  readonly exchange: string;
  readonly topic?: string;
}

const DEFAULT_VERSION = '1.0';

/** Keeps the handlers under keys of our own: what the wire takes for one method is one method here. */
export class PatternRegistry {
  private readonly handlers: ServedHandler[] = [];

  add(handler: ServedHandler): void {
    this.handlers.push(handler);
  }

  /**
   * @throws InvalidTarget a pattern without a topic, where there is no default
   * @throws ConfigurationError a method with two answers, or a version that is none
   */
  interfaces(defaults: PatternDefaults): ServedInterface[] {
    const groups = groupedBy(this.handlers, (handler) => interfaceKey(handler, defaults));
    return [...groups.values()].map((handlers) => interfaceOf(handlers, defaults));
  }
}

/** For people: `Class.method (namespace.method 1.0 of topic)`. */
export function describeHandler({ pattern, name }: ServedHandler): string {
  const { method, namespace, version, topic } = pattern;
  const path = namespace ? `${namespace}.${method}` : method;
  const text = `${path} ${version ?? DEFAULT_VERSION}${topic ? ` of ${topic}` : ''}`;
  return name ? `${name} (${text})` : text;
}

/** The key of one method, with `null` and absent alike, as Nest shows it. */
export function patternKey(pattern: OsloRpcPattern): string {
  const { exchange, topic, namespace, method, version } = pattern;
  return JSON.stringify({ exchange, topic, namespace: namespace ?? undefined, method, version });
}

function interfaceKey(handler: ServedHandler, defaults: PatternDefaults): string {
  const { pattern } = handler;
  const { exchange = defaults.exchange, topic = defaults.topic, namespace, method } = pattern;
  if (!topic) {
    throw new InvalidTarget(
      `${describeHandler(handler)} has no topic: name one in its @OsloEndpoint() or its pattern, or for all: new ServerOsloRpc({ topic }), OsloRpcModule.forRoot({ serve: { topic } })`,
    );
  }
  const { major } = checkApiVersion(pattern.version ?? DEFAULT_VERSION);
  if (method === ANY_METHOD) return JSON.stringify([exchange, topic]);
  return JSON.stringify([exchange, topic, namespace ?? null, major]);
}

function interfaceOf(handlers: readonly ServedHandler[], defaults: PatternDefaults): ServedInterface {
  const { exchange = defaults.exchange, topic = defaults.topic!, namespace = null } = handlers[0]!.pattern;
  const methods = groupedBy(handlers, ({ pattern }) => pattern.method);
  for (const sameMethod of methods.values()) refuseTwoAnswers(sameMethod);
  const version = highestVersion(handlers.map(({ pattern }) => pattern.version ?? DEFAULT_VERSION))!;
  return { exchange, topic, namespace, version, methods };
}

/** Events may be many: their results are dropped. */
function refuseTwoAnswers(handlers: readonly ServedHandler[]): void {
  const [first, second] = handlers.filter(({ isEvent }) => !isEvent);
  if (!first || !second) return;
  throw new ConfigurationError(
    `Two handlers answer one method: ${describeHandler(first)} and ${describeHandler(second)}`,
    first.pattern.method,
  );
}

function groupedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}
