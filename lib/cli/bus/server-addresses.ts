import { UsageError } from '../exit-codes.js';
import { topicAndServer } from '../option-values.js';

/** The options that say which servers of a topic are asked. */
export interface ServersOptions {
  readonly server?: string;
  readonly servers?: string;
  readonly all?: boolean;
}

/** Whom a question goes to: one server, or whichever of the topic takes it. */
export interface ServerAddress {
  readonly topic: string;
  readonly server?: string;
}

/** AMQP tells no names: `--all` needs a list. @throws UsageError */
export function addressesOf(topic: string, { all, server, servers }: ServersOptions): readonly ServerAddress[] {
  if (servers !== undefined) return servers.split(',').map((name) => ({ topic, server: nameOf(name) }));
  if (all) throw new UsageError('--all needs the names, which AMQP does not tell: --servers host1,host2');
  return [topicAndServer(topic, server)];
}

function nameOf(text: string): string {
  const name = text.trim();
  if (name === '') throw new UsageError('--servers takes names, separated by commas');
  return name;
}

/** `conductor.host1`: as its queue is called. */
export function shownAddress({ topic, server }: ServerAddress): string {
  return server === undefined ? topic : `${topic}.${server}`;
}
