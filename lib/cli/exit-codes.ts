import { ConfigurationError, InvalidTarget, InvalidTransportUrl } from '../errors/configuration.errors.js';
import { MessageDeliveryFailure, MessageUndeliverable, PreconditionFailed } from '../errors/delivery.errors.js';
import { OsloMessagingError } from '../errors/oslo-messaging.error.js';
import { MessagingTimeout, NoSuchMethod, RemoteError, UnsupportedVersion } from '../errors/rpc.errors.js';
import { chainOf } from '../errors/text-of.js';
import { MalformedMessage } from '../errors/wire.errors.js';
import { ManagementFailure } from '../observe/bus/management-answers.js';

/** How a command has ended; numbers from 64 on are those of sysexits.h where it has one. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** Of doctor: what stops services. */
  errors: 2,
  /** Of checks for Nagios: nothing could be seen. */
  unknown: 3,
  usage: 64,
  nobody: 68,
  unreachable: 69,
  bug: 70,
  file: 74,
  timeout: 75,
  refused: 77,
  configuration: 78,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line was understood, and makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command would change a bus that is read-only here. */
export class ReadOnlyBus extends Error {
  override readonly name = 'ReadOnlyBus';
}

/** A file was there, and is not what it should be. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}

/** Nothing is at the place that was named: no exchange, no queue, or no consumer. */
export class NobodyThere extends OsloMessagingError {
  constructor(message: string) {
    super(message, { code: 'OSLO_NO_ROUTE', fault: 'peer', retryable: true });
  }
}

/** A command that ends with this code; what it had to say is said. */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd';

  constructor(readonly exitCode: ExitCode) {
    super(`exit code ${exitCode}`);
  }
}

const NOT_ALLOWED = new Set([403, 530]);
const NOT_FOUND = 404;
/** Of the system, on files. */
const FILE_CALLS = new Set<unknown>(['mkdir', 'open', 'read', 'rename', 'rm', 'scandir', 'stat', 'unlink', 'write']);

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandEnd) return error.exitCode;
  if (error instanceof UsageError || error instanceof InvalidTarget) return EXIT.usage;
  if (error instanceof UnreadableFile) return EXIT.file;
  if (error instanceof ReadOnlyBus) return EXIT.refused;
  if (error instanceof InvalidTransportUrl || error instanceof ConfigurationError) return EXIT.configuration;
  if (error instanceof PreconditionFailed) return EXIT.configuration;
  if (error instanceof MalformedMessage && error.fault === 'caller') return EXIT.usage;
  if (error instanceof MessagingTimeout) return EXIT.timeout;
  if (error instanceof MessageUndeliverable || error instanceof NobodyThere) return EXIT.nobody;
  if (error instanceof MessageDeliveryFailure) return deliveryCode(error);
  if (error instanceof ManagementFailure) return error.problem === 'refused' ? EXIT.refused : EXIT.unreachable;
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  const isAnswer = [RemoteError, NoSuchMethod, UnsupportedVersion].some((answer) => error instanceof answer);
  if (isAnswer) return EXIT.failed;
  return isFileError(error) ? EXIT.file : EXIT.bug;
}

function deliveryCode(error: MessageDeliveryFailure): ExitCode {
  const codes = chainOf(error).map((one) => (one as { code?: unknown }).code);
  if (codes.some((code) => NOT_ALLOWED.has(code as number))) return EXIT.refused;
  return codes.includes(NOT_FOUND) ? EXIT.nobody : EXIT.unreachable;
}

function isFileError(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  return typeof code === 'string' && FILE_CALLS.has(syscall);
}
