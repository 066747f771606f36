const names = new WeakMap<object, string>();

/** Remembers `Class.method` for the extras object that Nest keeps per handler; all that a server sees of it. */
export function nameHandler(extras: object, name: string): void {
  names.set(extras, name);
}

/** `Class.method`, where `OsloRpcModule` has told. */
export function handlerName(extras: object | undefined): string | undefined {
  return extras && names.get(extras);
}
