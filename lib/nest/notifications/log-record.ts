import { threadId } from 'node:worker_threads';
import type { LogLevel } from '@nestjs/common';
import { maskSecrets } from '../../wire/redaction.js';
import type { NotificationPriority } from '../../wire/notification.js';

/** Python's levels, and the priorities of their notifications; what Python does not have is its nearest. */
export const LEVELS: Readonly<Record<LogLevel, { name: string; number: number; priority: NotificationPriority }>> = {
  verbose: { name: 'DEBUG', number: 10, priority: 'debug' },
  debug: { name: 'DEBUG', number: 10, priority: 'debug' },
  log: { name: 'INFO', number: 20, priority: 'info' },
  warn: { name: 'WARNING', number: 30, priority: 'warn' },
  error: { name: 'ERROR', number: 40, priority: 'error' },
  fatal: { name: 'CRITICAL', number: 50, priority: 'critical' },
};

/** The payload of a `logrecord`, with the keys of Python's `LoggingNotificationHandler`. */
export interface LogRecord {
  name: string | null;
  levelno: number;
  levelname: string;
  /** Class, message and stack of what was thrown. */
  exc_info: readonly [string, string, string] | null;
  pathname: null;
  lineno: null;
  msg: string;
  funcName: null;
  thread: number;
  processName: string;
  process: number;
  extra: readonly unknown[] | null;
}

/** Nest passes the name of the logger last, and of errors the stack before it. */
export function logRecordOf(level: LogLevel, message: unknown, parameters: readonly unknown[]): LogRecord {
  const extra = parameters.filter((parameter) => parameter !== undefined);
  const name = typeof extra.at(-1) === 'string' && !isStack(extra.at(-1)) ? (extra.pop() as string) : null;
  const stackAt = extra.findIndex((parameter) => isStack(parameter));
  const [stack] = stackAt === -1 ? [] : (extra.splice(stackAt, 1) as string[]);
  return {
    name,
    levelno: LEVELS[level].number,
    levelname: LEVELS[level].name,
    exc_info: thrown(message, stack),
    pathname: null,
    lineno: null,
    msg: maskSecrets(textOf(message)),
    funcName: null,
    thread: threadId,
    processName: process.title,
    process: process.pid,
    extra: extra.length > 0 ? extra.map((parameter) => maskSecrets(textOf(parameter))) : null,
  };
}

function thrown(message: unknown, stack: string | undefined): LogRecord['exc_info'] {
  if (message instanceof Error) {
    return [message.name, maskSecrets(message.message), maskSecrets(message.stack ?? stack ?? '')];
  }
  return stack === undefined ? null : [/^\w*/.exec(stack)![0], maskSecrets(textOf(message)), maskSecrets(stack)];
}

function isStack(value: unknown): value is string {
  return typeof value === 'string' && /\n\s+at .+:\d+/.test(value);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.message;
  if (typeof value === 'function') return isClass(value) ? value.name : textOf((value as () => unknown)());
  // Quoted keys are what secrets are recognised by: never written in another form.
  try {
    return JSON.stringify(value, writable()) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** A bigint or a circle is no reason to lose the rest. */
function writable(): (key: string, value: unknown) => unknown {
  const ancestors: unknown[] = [];
  return function (this: unknown, _key, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop();
    if (ancestors.includes(value)) return '[Circular]';
    ancestors.push(value);
    return value;
  };
}

/** Nest's loggers take a function that makes the message when it is needed. */
function isClass(value: object): boolean {
  return Function.prototype.toString.call(value).startsWith('class ');
}
