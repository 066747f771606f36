import { ConfigurationError } from '../../errors/configuration.errors.js';
import { NoSuchMethod, RemoteError, UnsupportedVersion } from '../../errors/rpc.errors.js';
import type { RemoteFailure } from '../../wire/rpc/remote-failure.js';

/**
 * A class that a remote exception becomes here. It is built as Python builds its own:
 * `new Class(...args, kwargs)`, without the last argument where there are no `kwargs`.
 *
 * @publicApi
 */
export type RemoteExceptionClass = new (...args: never[]) => Error;

export interface RemoteExceptionOptions {
  /**
   * Modules whose exceptions become their registered class; exact names, as `allowed_remote_exmods`.
   *
   * @defaultValue the modules named in `remoteExceptions`
   */
  allowedRemoteExmods?: readonly string[];
  /** `module.Class` of the remote exception → the class it becomes here; thrown here, it goes out under that name. */
  remoteExceptions?: Readonly<Record<string, RemoteExceptionClass>>;
}

const PYTHON_CLASS = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$/;

/** True when it is the path of a Python class, `module.Class`. */
export function isPythonClass(path: unknown): boolean {
  return typeof path === 'string' && PYTHON_CLASS.test(path);
}

/** @throws ConfigurationError a key that names no Python class, or a value that is no class */
export function checkRemoteExceptions(classes: RemoteExceptionOptions['remoteExceptions'] = {}): void {
  for (const [path, type] of Object.entries(classes)) {
    if (!isPythonClass(path)) {
      throw new ConfigurationError(
        `Option remoteExceptions must have keys such as 'nova.exception.HostNotFound', not '${path}'`,
        path,
      );
    }
    if (typeof type === 'function') continue;
    throw new ConfigurationError(`Option remoteExceptions['${path}'] must be a class, not ${typeof type}`);
  }
}

const failures = new WeakMap<object, RemoteFailure>();

/**
 * The failure that an error was made from, as the peer sent it; `undefined` for errors of our own.
 *
 * @publicApi
 */
export function remoteFailureOf(error: unknown): RemoteFailure | undefined {
  return typeof error === 'object' && error !== null ? failures.get(error) : undefined;
}

/** Makes errors of remote failures; nothing from the network picks a class outside its registry. */
export class RemoteExceptions {
  private readonly classes: ReadonlyMap<string, RemoteExceptionClass>;
  private readonly allowed: ReadonlySet<string>;

  constructor(options: RemoteExceptionOptions) {
    this.classes = new Map(Object.entries(options.remoteExceptions ?? {}));
    this.allowed = new Set(options.allowedRemoteExmods ?? [...this.classes.keys()].map(moduleOf));
  }

  /** The error that a caller gets for a failure. */
  revive(failure: RemoteFailure, facts: { target?: string; method?: string; msgId?: string }): Error {
    const error = this.reviveRegistered(failure) ?? reviveOwn(failure) ?? remoteError(failure, facts);
    failures.set(error, failure);
    return error;
  }

  private reviveRegistered(failure: RemoteFailure): Error | undefined {
    const { module, excType, args, kwargs } = failure;
    const registered = this.classes.get(`${module}.${excType}`);
    if (!registered || !this.allowed.has(module)) return undefined;
    const parameters = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
    return construct(registered, parameters, failure.message);
  }
}

/** `module` of `module.Class`. */
function moduleOf(path: string): string {
  return path.slice(0, path.lastIndexOf('.'));
}

/** As in Python, a class that refuses the peer's arguments leaves a RemoteError. */
function construct(type: RemoteExceptionClass, parameters: readonly unknown[], message: string): Error | undefined {
  try {
    const error = new type(...(parameters as never[]));
    if (!(error instanceof Error)) return undefined;
    if (error.message === '') error.message = message;
    return error;
  } catch {
    return undefined;
  }
}

/** The dispatcher's two refusals have classes here, whatever is registered. */
function reviveOwn({ module, excType, message }: RemoteFailure): Error | undefined {
  if (module !== 'oslo_messaging.rpc.dispatcher') return undefined;
  if (excType === 'NoSuchMethod') return new NoSuchMethod(lastWordOf(message));
  if (excType !== 'UnsupportedVersion') return undefined;
  const parts = /RPC version (\S+?)(?:\. Attempted method: (.*))?$/.exec(message);
  return new UnsupportedVersion(parts?.[1] ?? 'unknown', parts?.[2]);
}

function lastWordOf(text: string): string {
  return text.slice(text.lastIndexOf(' ') + 1);
}

function remoteError(failure: RemoteFailure, facts: object): RemoteError {
  const { excType, module, message, traceback, args, kwargs } = failure;
  return new RemoteError({
    ...facts,
    excType,
    module,
    remoteMessage: message,
    remoteTraceback: traceback,
    args,
    kwargs,
  });
}
