/**
 * Transport id of `ServerOsloRpc`: patterns with it are served on the bus only.
 *
 * @publicApi
 */
export const OSLO_RPC: unique symbol = Symbol.for('nestjs-oslo-messaging:rpc');

/**
 * As the `method` of a pattern: whatever no other handler of its topic takes, in any namespace and version.
 *
 * No method can have this name, and unlike a symbol it survives where Nest writes patterns as JSON.
 *
 * @publicApi
 */
export const ANY_METHOD = '*';

/** Names of our own loggers, whose records are never sent as notifications. */
export const NOTIFIER_LOGGER = 'OsloNotifier';
export const LISTENER_LOGGER = 'OsloNotificationListener';

/** Event type of log records, as Python's `LoggingNotificationHandler` sends them. */
export const LOG_RECORD = 'logrecord';

/** Event type of errors in the log, as Python's `PublishErrorsHandler` sends them. */
export const ERROR_NOTIFICATION = 'error_notification';
