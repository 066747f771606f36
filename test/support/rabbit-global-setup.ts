import type { TestProject } from 'vitest/node';
import type { AdminAccess } from './rabbit-admin.js';
import { type RabbitServer, startRabbit } from './rabbit-server.js';
import { type RabbitAddress, rabbitAddress } from './rabbit-url.js';

export interface RabbitHandle {
  address: RabbitAddress;
  access: AdminAccess;
}

declare module 'vitest' {
  interface ProvidedContext {
    rabbit: RabbitHandle;
  }
}

interface SharedServer {
  users: number;
  server: Promise<RabbitServer>;
}

// Every project loads this module anew; one node serves them all.
const SHARED = Symbol.for('oslo-test-rabbit');
const shared = globalThis as typeof globalThis & { [SHARED]?: SharedServer };

/** One broker per run: `OSLO_TEST_RABBIT_URL`'s, else a private one. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const existing = process.env['OSLO_TEST_RABBIT_URL'];
  if (existing) {
    const command = (process.env['OSLO_TEST_RABBITMQCTL'] ?? 'rabbitmqctl').split(' ');
    project.provide('rabbit', { address: rabbitAddress(existing), access: { kind: 'rabbitmqctl', command } });
    return undefined;
  }
  const use = (shared[SHARED] ??= { users: 0, server: startRabbit() });
  use.users += 1;
  const { host, port, user, password, access } = await use.server;
  project.provide('rabbit', { address: { host, port, user, password }, access });
  return async () => {
    use.users -= 1;
    if (use.users > 0) return;
    delete shared[SHARED];
    await (await use.server).dispose();
  };
}
