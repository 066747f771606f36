/** A state that may not follow another one was entered. In production the transition is not made, and reported. */
export class IllegalTransition extends Error {
  override readonly name = 'IllegalTransition';

  constructor(
    readonly machine: string,
    readonly from: string,
    readonly to: string,
  ) {
    super(`${machine}: '${to}' cannot follow '${from}'`);
  }
}

/** Which states may follow a state. */
export type Transitions<Name extends string> = Readonly<Record<Name, readonly Name[]>>;

/** Told of each illegal transition; our tests let it throw. */
export const illegalTransitions = {
  report(transition: IllegalTransition): void {
    console.error('nestjs-oslo-messaging: a fault of the library', transition);
  },
};

/** The one field of something that has a life: a tagged union, and the one place where it changes. */
export class State<S extends { readonly name: string }> {
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

  /** The state that was left, which has to give up what it owns; undefined when `next` may not follow. */
  enter(next: S): S | undefined {
    const before = this.current;
    if (!this.following[before.name as S['name']].includes(next.name)) {
      illegalTransitions.report(new IllegalTransition(this.machine, before.name, next.name));
      return undefined;
    }
    this.current = next;
    return before;
  }
}
