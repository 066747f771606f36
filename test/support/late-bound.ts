/** Stands for an object that a hook makes later, so that specs can name it at the top of a `describe`. */
export function lateBound<T extends object>(current: () => T | undefined, what: string): T {
  return new Proxy({} as T, {
    get(_target, property) {
      const made = current();
      if (!made) throw new Error(`${what} is made in a beforeAll: use it in hooks and tests only`);
      const value: unknown = Reflect.get(made, property);
      return typeof value === 'function' ? value.bind(made) : value;
    },
  });
}
