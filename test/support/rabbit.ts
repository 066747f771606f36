import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject } from 'vitest';
import { eventually } from './eventually.js';
import { lateBound } from './late-bound.js';
import {
  type BindingInfo,
  type ConnectionInfo,
  type ConsumerInfo,
  type ExchangeInfo,
  type QueueInfo,
  RabbitAdmin,
} from './rabbit-admin.js';
import { type RabbitAddress, rabbitUrl } from './rabbit-url.js';

export interface VhostOptions {
  /** A broker of one's own (`startRabbit`), as soon as it runs. @defaultValue the one shared by all specs */
  server?: () => RabbitAddress & { admin: RabbitAdmin };
  /** Reply and fanout queues that the spec leaves behind on purpose. */
  mayLeave?: RegExp;
}

/** A virtual host of the spec file's own: what others do is not seen there. */
export class TestVhost {
  constructor(
    readonly name: string,
    readonly address: RabbitAddress,
    readonly admin: RabbitAdmin,
  ) {}

  /** The transport URL. */
  get url(): string {
    return rabbitUrl(this.address, this.name);
  }

  /** The URL for amqplib. */
  get amqpUrl(): string {
    return rabbitUrl(this.address, this.name, 'amqp');
  }

  /** The transport URL through a proxy, or of a broker that may not be there. */
  urlVia({ port, host = '127.0.0.1' }: { port: number; host?: string }): string {
    return rabbitUrl({ ...this.address, host, port }, this.name);
  }

  listQueues(): Promise<QueueInfo[]> {
    return this.admin.listQueues(this.name);
  }

  async queue(name: string): Promise<QueueInfo | undefined> {
    return (await this.listQueues()).find((queue) => queue.name === name);
  }

  listExchanges(): Promise<ExchangeInfo[]> {
    return this.admin.listExchanges(this.name);
  }

  listBindings(): Promise<BindingInfo[]> {
    return this.admin.listBindings(this.name);
  }

  listConsumers(): Promise<ConsumerInfo[]> {
    return this.admin.listConsumers(this.name);
  }

  listConnections(): Promise<ConnectionInfo[]> {
    return this.admin.listConnections(this.name);
  }

  closeAllConnections(): Promise<number> {
    return this.admin.closeAllConnections(this.name);
  }

  deleteQueue(queue: string): Promise<boolean> {
    return this.admin.deleteQueue(this.name, queue);
  }
}

/** The broker that all specs of a run share. */
export function sharedRabbit(): RabbitAddress & { admin: RabbitAdmin } {
  const { address, access } = inject('rabbit');
  return { ...address, admin: new RabbitAdmin(access) };
}

/**
 * Gives the spec file a fresh virtual host and checks afterwards that nothing leaked: no connection,
 * no reply or fanout queue. Valid from the first `beforeAll` that follows on; call at the top of the file.
 */
export function useVhost(options: VhostOptions = {}): TestVhost {
  const server = options.server ?? sharedRabbit;
  const name = `test-${randomBytes(6).toString('hex')}`;
  let created: TestVhost | undefined;
  beforeAll(async () => {
    const { admin, ...address } = server();
    await admin.addVhost(name, address.user);
    created = new TestVhost(name, address, admin);
  });
  afterAll(async () => {
    if (!created) return;
    try {
      await expectNothingLeft(created, options.mayLeave);
    } finally {
      await created.admin.deleteVhost(name);
    }
  });
  return lateBound(() => created, 'the virtual host');
}

async function expectNothingLeft(vhost: TestVhost, mayLeave: RegExp | undefined): Promise<void> {
  // The broker notices a closed connection a moment after its client does.
  await eventually(async () => {
    expect(await vhost.listConnections(), 'connections left open').toEqual([]);
    return true;
  });
  const queues = (await vhost.listQueues()).map((queue) => queue.name);
  const own = queues.filter((queue) => /^reply_|_fanout_/.test(queue) && !mayLeave?.test(queue));
  expect(own, 'queues left behind').toEqual([]);
}
