import { ConfigurationError, InvalidTarget } from '../../errors/configuration.errors.js';
import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import type { ErrorClass } from '../../errors/error-class.js';
import {
  MessagingTimeout,
  NoSuchMethod,
  RemoteError,
  RpcVersionCapError,
  UnsupportedVersion,
} from '../../errors/rpc.errors.js';
import { MalformedMessage } from '../../errors/wire.errors.js';
import { chainOf, gatheredBy, textOf, textWithCause } from '../../errors/text-of.js';
import { isRecord } from '../../wire/json/is-record.js';
import type { RemoteFailure } from '../../wire/rpc/remote-failure.js';
import { isPythonClass, remoteFailureOf, type RemoteExceptionClass } from './remote-exceptions.js';

/**
 * Python class, `module.Class`, for errors thrown by handlers; more specific classes first.
 *
 * @publicApi
 */
export type PythonExceptions = readonly (readonly [ErrorClass<Error>, string])[];

export interface ExceptionMapOptions {
  /** Python classes for errors of your own; they win over the built-in ones. */
  pythonExceptions?: PythonExceptions;
  /** Registered remote exceptions; thrown here they go out under the name they came by. */
  remoteExceptions?: Readonly<Record<string, RemoteExceptionClass>>;
  /** Module of error classes that have no Python class; their own name becomes the class. @defaultValue 'nestjs' */
  exceptionModule?: string;
  /** True when stack traces travel to the caller, as Python's do. @defaultValue true */
  sendTraceback?: boolean;
}

export type ResolvedExceptionMapOptions = Required<ExceptionMapOptions>;

/** Errors of this library; their Python namesakes where there are some. */
const LIBRARY: PythonExceptions = [
  [NoSuchMethod, 'oslo_messaging.rpc.dispatcher.NoSuchMethod'],
  [UnsupportedVersion, 'oslo_messaging.rpc.dispatcher.UnsupportedVersion'],
  [RpcVersionCapError, 'oslo_messaging.rpc.client.RPCVersionCapError'],
  [MessagingTimeout, 'oslo_messaging.exceptions.MessagingTimeout'],
  [MessageDeliveryFailure, 'oslo_messaging.exceptions.MessageDeliveryFailure'],
  [ConfigurationError, 'oslo_messaging.exceptions.ConfigurationError'],
  [MalformedMessage, 'builtins.ValueError'],
  [InvalidTarget, 'builtins.ValueError'],
];

const STANDARD: PythonExceptions = [
  [TypeError, 'builtins.TypeError'],
  [RangeError, 'builtins.ValueError'],
  [SyntaxError, 'builtins.ValueError'],
  [URIError, 'builtins.ValueError'],
  [ReferenceError, 'builtins.NameError'],
  [Error, 'builtins.Exception'],
];

/** Node's system errors by `code`, the web platform's by `name`. */
const BY_CODE: ReadonlyMap<unknown, string> = new Map([
  ['AbortError', 'builtins.TimeoutError'],
  ['TimeoutError', 'builtins.TimeoutError'],
  ['EACCES', 'builtins.PermissionError'],
  ['ECONNREFUSED', 'builtins.ConnectionRefusedError'],
  ['ECONNRESET', 'builtins.ConnectionResetError'],
  ['EEXIST', 'builtins.FileExistsError'],
  ['EISDIR', 'builtins.IsADirectoryError'],
  ['ENOENT', 'builtins.FileNotFoundError'],
  ['ENOTDIR', 'builtins.NotADirectoryError'],
  ['EPERM', 'builtins.PermissionError'],
  ['EPIPE', 'builtins.BrokenPipeError'],
  ['ERR_ASSERTION', 'builtins.AssertionError'],
  ['ETIMEDOUT', 'builtins.TimeoutError'],
]);

/** A line of `Error.stack` that is no part of the message. */
const FRAME = /^ +at /;

type PythonClass = Pick<RemoteFailure, 'excType' | 'module'>;

/** @throws ConfigurationError what is no pair of an error class and a Python class */
export function checkPythonExceptions(pairs: PythonExceptions = []): void {
  for (const pair of pairs) {
    if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'function' && isPythonClass(pair[1])) continue;
    throw new ConfigurationError(
      "Option pythonExceptions must be pairs such as [HostNotFound, 'nova.exception.HostNotFound']",
    );
  }
}

/** Names that say nothing of an error of one's own. */
const STANDARD_NAMES: ReadonlySet<string> = new Set(STANDARD.map(([{ name }]) => name));

/** The name that it has been given: that of its class may be a minified one. */
function nameOf({ name, constructor }: Error): string {
  const names: unknown[] = STANDARD_NAMES.has(name) ? [constructor.name] : [name, constructor.name];
  const own = names.find((one): one is string => typeof one === 'string' && /^[A-Za-z_]\w*$/.test(one));
  return own ?? 'Exception';
}

/** A thrown error, as a Python caller sees it. */
export class ExceptionMap {
  private readonly registered: PythonExceptions;
  private readonly exceptionModule: string;
  private readonly sendTraceback: boolean;

  constructor(options: ResolvedExceptionMapOptions) {
    const remote = Object.entries(options.remoteExceptions).map(([path, type]) => [type, path] as const);
    this.registered = [...options.pythonExceptions, ...remote, ...LIBRARY];
    this.exceptionModule = options.exceptionModule;
    this.sendTraceback = options.sendTraceback;
  }

  /** A remote failure that was re-thrown goes on exactly as it came. Never throws, whatever was thrown. */
  describe(thrown: unknown): RemoteFailure {
    const original = remoteFailureOf(thrown);
    if (original) return original;
    try {
      if (thrown instanceof RemoteError) return fromRemoteError(thrown);
      if (thrown instanceof Error) return this.describeError(thrown);
    } catch {
      // A proxy, or a getter of the error, throws: its text is all there is.
    }
    return { ...split('builtins.Exception'), message: textOf(thrown), args: [thrown], kwargs: {}, traceback: [] };
  }

  private describeError(error: Error): RemoteFailure {
    const own = error as { args?: unknown; kwargs?: unknown };
    const message =
      String(error.message) ||
      gatheredBy(error)
        .map((one) => textOf(one))
        .join('; ');
    const type = this.classOf(error);
    return {
      ...type,
      message,
      args: Array.isArray(own.args) ? own.args : [message],
      kwargs: isRecord(own.kwargs) ? own.kwargs : {},
      traceback: this.sendTraceback ? tracebackOf(error, type, message) : [],
    };
  }

  private classOf(error: Error): PythonClass {
    const registered = this.registered.find(([type]) => error instanceof type);
    if (registered) return split(registered[1]);
    const { code, name } = error as { code?: unknown; name?: unknown };
    const known = BY_CODE.get(code) ?? BY_CODE.get(name);
    if (known) return split(known);
    const standard = STANDARD.find(([type]) => error.constructor === type || isNodeError(error, type));
    if (standard) return split(standard[1]);
    return { excType: nameOf(error), module: this.exceptionModule };
  }
}

/** Node's own errors have an internal subclass of the standard one, and a code `ERR_…`. */
function isNodeError(error: Error, type: ErrorClass<Error>): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && code.startsWith('ERR_') && error instanceof type;
}

function split(path: string): PythonClass {
  const dot = path.lastIndexOf('.');
  return { module: path.slice(0, dot), excType: path.slice(dot + 1) };
}

function fromRemoteError(error: RemoteError): RemoteFailure {
  const { excType, module, remoteMessage, remoteTraceback, args, kwargs } = error;
  return { excType, module, message: remoteMessage, traceback: remoteTraceback, args, kwargs };
}

/** In Python's shape: API services cut off what follows its first line before they tell their users. */
function tracebackOf(error: Error, { excType, module }: PythonClass, message: string): string[] {
  if (typeof error.stack !== 'string') return [];
  const name = module === 'builtins' ? excType : `${module}.${excType}`;
  const lines = [...reasonsOf(error), ...framesOf(error), `${name}: ${message}`];
  return lines.map((line) => `${line}\n`);
}

function framesOf({ stack }: Error): string[] {
  const frames = String(stack).split('\n');
  return ['Traceback (most recent call last):', ...frames.filter((line) => FRAME.test(line)).toReversed()];
}

/** Its causes stand before it, as in Python. */
function reasonsOf(error: Error): string[] {
  const [, ...causes] = chainOf(error);
  const chain = causes
    .toReversed()
    .flatMap((cause) => [
      ...toldOf(cause),
      '',
      'The above exception was the direct cause of the following exception:',
      '',
    ]);
  return [...chain, ...gatheredBy(error).flatMap((one) => [textWithCause(one), ''])];
}

function toldOf(cause: unknown): string[] {
  const frames = cause instanceof Error ? framesOf(cause) : [];
  return [...gatheredBy(cause).map((one) => textWithCause(one)), ...frames, textOf(cause)];
}
