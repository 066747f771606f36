import { describe, expect, it } from 'vitest';
import { ClientOsloRpc, OsloClient, ServerOsloRpc, type StartupOptions } from '../../../lib/index.js';
import { resolveNotificationOptions } from '../../../lib/nest/notifications/resolved-notification-options.js';

/** As they come from a configuration file: no compiler has seen them. */
const options = (given: Record<string, unknown>): StartupOptions => ({ ...given, logEvents: false }) as StartupOptions;

describe.each<[string, (given: StartupOptions) => unknown]>([
  ['ServerOsloRpc', (given) => new ServerOsloRpc(given)],
  ['ClientOsloRpc', (given) => new ClientOsloRpc(given)],
  ['OsloClient', (given) => new OsloClient(given)],
  ['NotificationModule', (given) => resolveNotificationOptions(given)],
])('%s', (_name, create) => {
  it.each(['Wait', 'fail_fast', '', true])('refuses the policy %j', (startup) => {
    expect(() => create(options({ startup }))).toThrow(/startup must be one of background, fail-fast, wait/);
  });

  it.each([-1, NaN, '500', true])('refuses to wait %j milliseconds', (startupTimeoutMs) => {
    expect(() => create(options({ startupTimeoutMs }))).toThrow(/startupTimeoutMs must be a number of milliseconds/);
  });

  it.each([{}, { startup: 'background' }, { startup: 'wait', startupTimeoutMs: 0 }, { startupTimeoutMs: Infinity }])(
    'takes %j',
    (given) => {
      expect(() => create(options(given))).not.toThrow();
    },
  );
});
