import { describe, expect, it } from 'vitest';
import { RpcClient, RpcServer } from '../../lib/index.js';
import type { MessageBroker as Broker } from '../../lib/broker/broker.js';
import { eventually } from '../support/eventually.js';
import type { FaultyBus } from './bus-under-test.js';
import { unique, type Clients } from './clients.js';

/** What a test lets go on, by name. */
class Gates {
  private readonly opened = new Set<string>();
  private readonly waiting = new Map<string, () => void>();

  pass(name: string): Promise<void> {
    return this.opened.has(name) ? Promise.resolve() : new Promise((resolve) => this.waiting.set(name, resolve));
  }

  open(...names: string[]): void {
    for (const name of names) {
      this.opened.add(name);
      this.waiting.get(name)?.();
    }
  }
}

interface Serving {
  broker: Broker;
  server: RpcServer;
  client: RpcClient;
  /** Names of the requests, as they began. */
  runs: string[];
  gates: Gates;
}

export function describeServing(clients: Clients, bus: FaultyBus): void {
  /** Of one slot; each request runs until its gate is opened. */
  async function serve(): Promise<Serving> {
    const topic = unique('topic');
    const runs: string[] = [];
    const gates = new Gates();
    const work = async ({ name }: { name: string }): Promise<string> => {
      runs.push(name);
      await gates.pass(name);
      return name;
    };
    const broker = await clients.connect();
    const server = new RpcServer(broker, { topic, server: 'host1' }, [{ methods: { work } }], {
      executorThreadPoolSize: 1,
    });
    await server.start();
    const client = new RpcClient(await clients.connect(), { topic }, { timeout: 60 });
    return { broker, server, client, runs, gates };
  }

  /** Who publishes nothing does not hear of an alarm. */
  async function blockAndTell(broker: Broker): Promise<void> {
    await bus.block();
    broker.publish({ exchange: '', routingKey: unique('nowhere'), body: '{}' }).catch(() => undefined);
    await eventually(() => broker.state === 'blocked');
  }

  describe('a server under an alarm', () => {
    it('takes no calls whose answers could not leave, and answers all of them after it', async () => {
      const { broker, server, client, runs, gates } = await serve();
      const call = (name: string): Promise<unknown> => client.call('work', { name });
      const calls = [call('one')];
      await eventually(() => runs.length === 1);
      await client.cast('work', { name: 'cast' });
      calls.push(call('two'), call('three'));
      await client.cast('work', { name: 'cast behind' });

      await blockAndTell(broker);
      gates.open('one', 'cast', 'two', 'three', 'cast behind');
      await eventually(() => runs.includes('cast'));
      for (let n = 0; n < 5; n += 1) await broker.inspectQueue(server.queues[0]!);
      expect(runs).toEqual(['one', 'cast']);

      await bus.unblock();
      expect(await Promise.all(calls)).toEqual(['one', 'two', 'three']);
      await eventually(() => runs.length === 5);
      await Promise.all([server.close(), client.close()]);
    });

    it('drops a call whose caller has given up, and goes on with the cast behind it', async () => {
      const { broker, server, client, runs, gates } = await serve();
      const one = client.call('work', { name: 'one' });
      await eventually(() => runs.length === 1);
      const late = client.prepare({ timeout: 1 }).call('work', { name: 'late' });
      const outcome = late.catch((error: unknown) => error);
      await client.cast('work', { name: 'cast' });

      await blockAndTell(broker);
      gates.open('one', 'cast');
      expect(await outcome).toMatchObject({ code: 'OSLO_TIMEOUT' });
      await eventually(() => runs.includes('cast'));
      expect(runs).toEqual(['one', 'cast']);

      await bus.unblock();
      expect(await one).toBe('one');
      await Promise.all([server.close(), client.close()]);
      // A client leaves it to those who may still answer.
      await broker.deleteQueue(client.replyQueue);
    });
  });
}
