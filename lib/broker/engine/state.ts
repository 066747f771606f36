/** Which states may follow a state. */
export type Transitions<Name extends string> = Readonly<Record<Name, readonly Name[]>>;

/** Told of each transition that is not allowed, and so not made; our tests let it throw. */
export const illegalTransitions = {
  report(transition: Error): void {
    console.error('nestjs-oslo-messaging: a fault of the library', transition);
  },
};

/** False for a transition that is not allowed, which is reported. */
export function isLegal<Name extends string>(
  machine: string,
  following: Transitions<Name>,
  from: Name,
  to: Name,
): boolean {
  if (following[from].includes(to)) return true;
  illegalTransitions.report(new Error(`${machine}: '${to}' cannot follow '${from}'`));
  return false;
}

/**
 * The one field of something that has a life: a tagged union, and the one place where it changes. A state's timer ends
 * with it.
 */
export class State<S extends { readonly name: string; readonly timer?: NodeJS.Timeout }> {
  constructor(
    private readonly machine: string,
    private readonly following: Transitions<S['name']>,
    private current: S,
  ) {}

  get value(): S {
    return this.current;
  }

  get name(): S['name'] {
    return this.current.name;
  }

  /** The state that was left; undefined when `next` may not follow. */
  enter(next: S): S | undefined {
    const before = this.current;
    if (!isLegal<S['name']>(this.machine, this.following, before.name, next.name)) return undefined;
    this.current = next;
    if (before.timer !== next.timer) clearTimeout(before.timer);
    return before;
  }
}
