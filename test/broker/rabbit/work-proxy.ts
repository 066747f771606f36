import type { afterEach as AfterEach, beforeEach as BeforeEach } from 'vitest';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { lateBound } from '../../support/late-bound.js';
import type { useVhost } from '../../support/rabbit.js';

/** A proxy for each test; the queue `work` goes with it. */
export function useWorkProxy(
  hooks: { beforeEach: typeof BeforeEach; afterEach: typeof AfterEach },
  vhost: ReturnType<typeof useVhost>,
): AmqpProxy {
  let proxy: AmqpProxy | undefined;
  hooks.beforeEach(async () => {
    proxy = await AmqpProxy.start(vhost.address);
  });
  hooks.afterEach(async () => {
    await proxy?.close();
    if (await vhost.queue('work')) await vhost.deleteQueue('work');
  });
  return lateBound(() => proxy, 'the proxy');
}
