import { inspect } from 'node:util';
import {
  BadRequestException,
  ForbiddenException,
  GatewayTimeoutException,
  HttpException,
  NotFoundException,
  NotImplementedException,
  RequestTimeoutException,
  UnauthorizedException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { ExceptionMapOptions, PythonExceptions } from '../../../rpc/exceptions/exception-map.js';

/** Python classes of Nest's own exceptions; the more specific first. */
const NEST_EXCEPTIONS: PythonExceptions = [
  [BadRequestException, 'builtins.ValueError'],
  [UnprocessableEntityException, 'builtins.ValueError'],
  [UnauthorizedException, 'builtins.PermissionError'],
  [ForbiddenException, 'builtins.PermissionError'],
  [NotFoundException, 'builtins.LookupError'],
  [RequestTimeoutException, 'builtins.TimeoutError'],
  [GatewayTimeoutException, 'builtins.TimeoutError'],
  [NotImplementedException, 'builtins.NotImplementedError'],
  [HttpException, 'builtins.Exception'],
  [RpcException, 'builtins.Exception'],
];

/** Nest's own text for an exception. */
const STANDARD_KEYS: ReadonlySet<string> = new Set(['error', 'message', 'statusCode']);
/** The answer of Nest's guards when they do no more than refuse. */
export const FORBIDDEN = 'Forbidden resource';
/** The answer of Nest's default filter to every error but RpcException. */
const UNKNOWN = 'Internal server error';

/** The options with Nest's exceptions behind all that the user has registered. */
export function withNestExceptions<Options extends ExceptionMapOptions>(options: Options): Options {
  const remote = Object.entries(options.remoteExceptions ?? {}).map(([path, type]) => [type, path] as const);
  return { ...options, pythonExceptions: [...(options.pythonExceptions ?? []), ...remote, ...NEST_EXCEPTIONS] };
}

/** True when an error's class was lost: it is what Nest's default filter makes of any error. */
export function isUnknownError(thrown: unknown): boolean {
  return isStatusObject(thrown) && thrown.message === UNKNOWN;
}

/** The error that ended a Nest pipeline, as an error that can be described to a Python caller. */
export function toDescribable(thrown: unknown): unknown {
  if (thrown instanceof RpcException) return fromRpcException(thrown);
  if (thrown instanceof HttpException) return fromHttpException(thrown);
  if (isStatusObject(thrown) && thrown.message === FORBIDDEN) return new ForbiddenException(FORBIDDEN);
  return typeof thrown === 'object' && thrown !== null && !(thrown instanceof Error) ? fromObject(thrown) : thrown;
}

function fromRpcException(exception: RpcException): unknown {
  const inner = exception.getError();
  if (inner instanceof Error && inner !== exception) return toDescribable(inner);
  return typeof inner === 'object' && !(inner instanceof Error) ? fromObject(inner) : exception;
}

/** Validation says what is wrong in a list; that, and whatever else is in the response, is the second argument. */
function fromHttpException(exception: HttpException): HttpException {
  const response: unknown = exception.getResponse();
  if ('args' in exception || typeof response !== 'object' || response === null) return exception;
  const { message } = response as { message?: unknown };
  if (typeof message === 'string' && Object.keys(response).every((key) => STANDARD_KEYS.has(key))) return exception;
  const text = Array.isArray(message) ? message.join('; ') : exception.message;
  const changes = { message: { value: text }, args: { value: [text, response] } };
  return Object.create(exception, changes) as HttpException;
}

/** Filters answer with plain objects; what is more in them than a message becomes the second argument. */
function fromObject(thrown: object): Error {
  const error: RpcException & { args?: unknown[] } = new RpcException(thrown);
  const { message } = thrown as { message?: unknown };
  if (typeof message !== 'string') error.message = inspect(thrown, { breakLength: Infinity });
  error.args = isStatusObject(thrown) ? [error.message] : [error.message, thrown];
  error.stack = undefined;
  return error;
}

/** Exactly `{ status: 'error', message }`, the shape of Nest's default filter. */
function isStatusObject(thrown: unknown): thrown is { status: 'error'; message: string } {
  if (typeof thrown !== 'object' || thrown === null || Object.keys(thrown).length !== 2) return false;
  const { status, message } = thrown as { status?: unknown; message?: unknown };
  return status === 'error' && typeof message === 'string';
}
