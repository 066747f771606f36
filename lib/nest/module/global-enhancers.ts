import type { ApplicationConfig } from '@nestjs/core';

const KINDS = ['guards', 'pipes', 'interceptors', 'filters'] as const;
type Enhancers = Record<(typeof KINDS)[number], readonly object[]>;

/**
 * Finds out which global enhancers count for the handlers of a server. Nest does not tell whether a microservice has the
 * configuration of its application (`inheritAppConfig`): where it has, Nest reads it just before it adds a handler. Neither
 * `useGlobalGuards()` nor `APP_GUARD` count where it has not; where it has, those that come later count for no handler that
 * is there already.
 */
export class GlobalEnhancers {
  /** Of this turn: the router for HTTP reads in turns of its own. */
  private reads = 0;

  constructor(private readonly config: ApplicationConfig) {
    const read = config.getGlobalGuards.bind(config);
    config.getGlobalGuards = () => {
      this.reads += 1;
      queueMicrotask(() => (this.reads = 0));
      return read();
    };
  }

  /** Begins to watch the handlers of one server. */
  watch(): InheritedEnhancers {
    this.reads = 0;
    return new InheritedEnhancers(
      () => this.all(),
      () => {
        const { reads } = this;
        this.reads = 0;
        return reads > 0;
      },
    );
  }

  private all(): Enhancers {
    const { config } = this;
    return {
      guards: [...config['globalGuards'], ...scoped(config.getGlobalRequestGuards())],
      pipes: [...config.getGlobalPipes(), ...scoped(config.getGlobalRequestPipes())],
      interceptors: [...config.getGlobalInterceptors(), ...scoped(config.getGlobalRequestInterceptors())],
      filters: [...config.getGlobalFilters(), ...scoped(config.getGlobalRequestFilters())],
    };
  }
}

/** The global enhancers that count for one server. */
export class InheritedEnhancers {
  private seen: Enhancers | undefined;

  constructor(
    private readonly all: () => Enhancers,
    private readonly wereRead: () => boolean,
  ) {}

  handlerAdded(): void {
    if (this.wereRead()) this.seen = this.all();
  }

  /** True once Nest has read them for a handler. */
  get areInherited(): boolean {
    return this.seen !== undefined;
  }

  /** Kinds with the names of those that do not count. */
  missing(): string[] {
    const now = this.all();
    return KINDS.flatMap((kind) => {
      const missing = now[kind].filter((enhancer) => !this.seen?.[kind].includes(enhancer));
      return missing.length === 0 ? [] : [`${kind} ${missing.map(nameOf).join(', ')}`];
    });
  }
}

function scoped(wrappers: readonly { metatype: unknown }[]): object[] {
  return wrappers.map(({ metatype }) => metatype as object);
}

function nameOf(enhancer: object): string {
  return typeof enhancer === 'function' ? enhancer.name : enhancer.constructor.name;
}
