import { isRecord } from '../json/is-record.js';
import { parseJson, stringifyJson, type IntegerReading } from '../json/json.js';
import { maskSecrets, printable } from '../redaction.js';

/**
 * An exception on its way to the caller.
 *
 * @publicApi
 */
export interface RemoteFailure {
  /** Class name. */
  excType: string;
  /** Python module of that class. */
  module: string;
  /** `str(exception)`. */
  message: string;
  /** Lines as Python's `format_exception` gives them. */
  traceback: readonly string[];
  args: readonly unknown[];
  kwargs: Readonly<Record<string, unknown>>;
}

const REMOTE_SUFFIX = '_Remote';

/**
 * The JSON text of a failure; the third level of encoding once it is in a reply.
 *
 * Never throws: arguments that JSON cannot hold are sent as text. (Python's server sends no answer
 * at all then, and its caller waits in vain.)
 */
export function encodeFailure(failure: RemoteFailure): string {
  try {
    return failureText(failure, failure.args, failure.kwargs);
  } catch {
    const kwargs = Object.entries(failure.kwargs).map(([key, value]) => [key, writable(value)] as const);
    return failureText(failure, failure.args.map(writable), Object.fromEntries(kwargs));
  }
}

/** The rest of a failure that is larger than may be sent: its class, and the beginning of its message. */
export function shortenedFailure({ excType, module, message }: RemoteFailure): RemoteFailure {
  const beginning = message.slice(0, 1000);
  return { excType, module, message: beginning, traceback: [], args: [beginning], kwargs: {} };
}

/** Understands the text of a failure, with whatever is missing left empty. Never throws. */
export function decodeFailure(text: string, integers: IntegerReading): RemoteFailure {
  let failure: unknown;
  try {
    failure = parseJson(text, integers);
  } catch {
    return unreadable(text);
  }
  return isRecord(failure) ? readFailure(failure) : unreadable(text);
}

function failureText(failure: RemoteFailure, args: unknown, kwargs: unknown): string {
  // A failure that is handed on after a rebuilt Python class carries the suffix on both names.
  const handedOn = failure.excType.endsWith(REMOTE_SUFFIX) && failure.module.endsWith(REMOTE_SUFFIX);
  const original = (name: string) => (handedOn ? name.slice(0, -REMOTE_SUFFIX.length) : name);
  return stringifyJson({
    class: original(failure.excType),
    module: original(failure.module),
    message: failure.message,
    tb: failure.traceback,
    args,
    kwargs,
  });
}

function writable(value: unknown): unknown {
  try {
    stringifyJson(value);
    return value;
  } catch {
    return asText(value);
  }
}

function asText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return '(not writable)';
  }
}

function readFailure(failure: Record<string, unknown>): RemoteFailure {
  const { class: excType, module, message, tb, args, kwargs } = failure;
  return {
    excType: typeof excType === 'string' ? excType : 'RemoteError',
    module: module === 'exceptions' ? 'builtins' : typeof module === 'string' ? module : '',
    message: typeof message === 'string' ? message : '',
    traceback: Array.isArray(tb) ? tb.filter((line) => typeof line === 'string') : [],
    args: Array.isArray(args) ? args : [],
    kwargs: isRecord(kwargs) ? kwargs : {},
  };
}

function unreadable(text: string): RemoteFailure {
  const excerpt = printable(maskSecrets(text.slice(0, 4096))).slice(0, 256);
  return {
    excType: 'RemoteError',
    module: 'oslo_messaging.rpc.client',
    message: `The peer's failure is not readable: ${excerpt}`,
    traceback: [],
    args: [],
    kwargs: {},
  };
}
