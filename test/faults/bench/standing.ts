import type { RabbitAdmin } from '../../support/rabbit-admin.js';

/** What stands on a broker, each thing as one line. */
export type Standing = readonly string[];

/**
 * Queues with their consumers, exchanges, bindings. A killed process leaves its fanout queue to expire:
 * one that nobody consumes does not count, and which fanout queue is whose is not told by its random name.
 */
export async function standing(admin: RabbitAdmin, vhost: string): Promise<Standing> {
  const queues = await admin.listQueues(vhost);
  const consumers = await admin.listConsumers(vhost);
  const exchanges = await admin.listExchanges(vhost);
  const bindings = await admin.listBindings(vhost);
  const consumed = new Set(consumers.map(({ queue }) => queue));
  const counts = (queue: string): boolean => !isFanoutQueue(queue) || consumed.has(queue);
  return [
    ...queues
      .filter(({ name }) => counts(name))
      .map(({ name, durable, autoDelete, arguments: more }) => line('queue', name, { durable, autoDelete, more })),
    ...consumers.map(({ queue, consumerTag, prefetchCount }) =>
      line('consumer', queue, { consumerTag, prefetchCount }),
    ),
    ...exchanges.map(({ name, type, durable, autoDelete }) => line('exchange', name, { type, durable, autoDelete })),
    ...bindings
      .filter(({ queue }) => counts(queue))
      .map(({ queue, exchange, routingKey }) => line('binding', queue, { exchange, routingKey })),
  ].toSorted();
}

function isFanoutQueue(name: string): boolean {
  return /_fanout_[0-9a-f]{32}$/.test(name);
}

function line(kind: string, name: string, facts: object): string {
  return `${kind} ${name.replace(/(_fanout_)[0-9a-f]{32}$/, '$1*')} ${JSON.stringify(facts)}`;
}

/** What is missing and what is too much; empty when nothing has changed. */
export function changes(before: Standing, after: Standing): string[] {
  const rest = [...after];
  const missing = before.filter((each) => {
    const index = rest.indexOf(each);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
  return [...missing.map((each) => `- ${each}`), ...rest.map((each) => `+ ${each}`)];
}
