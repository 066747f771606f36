import { checkOptions } from '../../config/option-rule.js';
import { ConsoleLogger, type LoggerService, type LogLevel } from '@nestjs/common';
import type { PreparedNotifier } from '../../notify/notifier/prepared-notifier.js';
import { started } from '../../events/started.js';
import { LEVELS, logRecordOf } from './log-record.js';
import { ERROR_NOTIFICATION, LISTENER_LOGGER, LOG_RECORD, NOTIFIER_LOGGER } from '../shared/nest.constants.js';
import { isQuiet, runQuietly } from './quiet-logging.js';

/**
 * Options of `OsloLogger`: levels to send, and where to write.
 *
 * @publicApi
 */
export interface OsloLoggerOptions {
  /** The logger that goes on writing; null: none. @defaultValue Nest's console logger */
  logger?: LoggerService | null;
  /** Levels that are sent, too. @defaultValue ['log', 'warn', 'error', 'fatal'] */
  levels?: readonly LogLevel[];
  /**
   * Records of the levels error and fatal are sent as `error_notification`, too, of the priority error and with the payload
   * `{ error: <text> }`, as Python's `PublishErrorsHandler` does. Give that notifier the `publisherId` that consumers expect;
   * Python's is `error.publisher`. @defaultValue false
   */
  errorNotifications?: boolean;
}

/**
 * A logger for Nest that sends its records as notifications, too: `logrecord`, by their level, as Python's
 * `LoggingNotificationHandler` does. Secrets are masked.
 *
 * What sending logs, what the driver `log` writes, and what a listener of such records logs, is only
 * written: else each record would cause the next.
 *
 * @example
 * ```ts
 * const app = await NestFactory.create(AppModule, { bufferLogs: true });
 * app.useLogger(new OsloLogger(app.get(Notifier), { levels: ['error', 'fatal'] }));
 * ```
 *
 * @publicApi
 */
export class OsloLogger implements LoggerService {
  private readonly logger: LoggerService | null;
  private readonly sent: ReadonlySet<LogLevel>;
  private readonly errorsSent: ReadonlySet<LogLevel>;

  constructor(
    private readonly notifier: PreparedNotifier,
    options: OsloLoggerOptions = {},
  ) {
    checkOptions('OsloLogger', options, {
      logger: { type: 'object', nullable: true },
      levels: { type: 'names' },
      errorNotifications: { type: 'boolean' },
    });
    this.logger = options.logger === undefined ? new ConsoleLogger() : options.logger;
    this.sent = new Set(options.levels ?? ['log', 'warn', 'error', 'fatal']);
    this.errorsSent = new Set(options.errorNotifications ? ['error', 'fatal'] : []);
  }

  log(message: unknown, ...parameters: unknown[]): void {
    this.write('log', message, parameters);
  }

  error(message: unknown, ...parameters: unknown[]): void {
    this.write('error', message, parameters);
  }

  warn(message: unknown, ...parameters: unknown[]): void {
    this.write('warn', message, parameters);
  }

  debug(message: unknown, ...parameters: unknown[]): void {
    this.write('debug', message, parameters);
  }

  verbose(message: unknown, ...parameters: unknown[]): void {
    this.write('verbose', message, parameters);
  }

  fatal(message: unknown, ...parameters: unknown[]): void {
    this.write('fatal', message, parameters);
  }

  /** Of what is written; what is sent stays as it is. */
  setLogLevels(levels: LogLevel[]): void {
    this.logger?.setLogLevels?.(levels);
  }

  private write(level: LogLevel, message: unknown, parameters: unknown[]): void {
    this.logger?.[level]?.(message, ...parameters);
    if (isQuiet() || isOurs(parameters.at(-1))) return;
    if (this.sent.has(level)) {
      sendQuietly(() =>
        this.notifier.notify(LEVELS[level].priority, LOG_RECORD, logRecordOf(level, message, parameters)),
      );
    }
    if (this.errorsSent.has(level)) {
      sendQuietly(() =>
        this.notifier.error(ERROR_NOTIFICATION, { error: logRecordOf(level, message, parameters).msg }),
      );
    }
  }
}

function sendQuietly(send: () => Promise<void>): void {
  runQuietly(() => harmless(started(send)));
}

/** Reported by the notifier's own logger, where it fails: nobody who logs is to suffer from it. */
function harmless(sent: Promise<void>): void {
  sent.catch(() => undefined);
}

function isOurs(name: unknown): boolean {
  if (typeof name !== 'string') return false;
  return name === NOTIFIER_LOGGER || name === LISTENER_LOGGER || name.startsWith('oslo.messaging.notification.');
}
