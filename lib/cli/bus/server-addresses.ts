import { serversOf } from '../../observe/bus/bus-look.js';
import { NobodyThere, UsageError } from '../exit-codes.js';
import { topicAndServer } from '../option-values.js';
import { managementOf, type ManagementOptions, virtualHostOf } from './management.js';
import { chooseTransport, type TransportOptions } from './transport-choice.js';

/** The options that say which servers of a topic are asked. */
export interface ServersOptions extends ManagementOptions, TransportOptions {
  readonly server?: string;
  readonly servers?: string;
  readonly all?: boolean;
}

/** Whom a question goes to: one server, or whichever of the topic takes it. */
export interface ServerAddress {
  readonly topic: string;
  readonly server?: string;
}

/**
 * AMQP tells no names: `--all` needs the management API, or a list.
 *
 * @throws UsageError there is neither
 * @throws NobodyThere the topic has no queue of a server
 * @throws ManagementFailure
 */
export async function addressesOf(
  topic: string,
  options: ServersOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly ServerAddress[]> {
  const { all, server, servers } = options;
  if (servers !== undefined) return servers.split(',').map((name) => ({ topic, server: nameOf(name) }));
  if (!all) return [topicAndServer(topic, server)];
  const choice = chooseTransport(options, env);
  const api = managementOf(options, choice);
  if (!api)
    throw new UsageError('--all needs names: --management-url, or --servers host1,host2; AMQP does not tell them');
  const found = serversOf(topic, await api.queues(virtualHostOf(choice).virtualHost));
  if (found.length > 0) return found.map((name) => ({ topic, server: name }));
  throw new NobodyThere(`no server of '${topic}' has a queue on this virtual host`);
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
