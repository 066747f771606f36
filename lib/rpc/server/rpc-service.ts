import { checkOptions, type OptionRules } from '../../config/option-rule.js';
import { OPTION_TABLE } from '../../config/option-table.js';
import { InvalidTarget } from '../../errors/configuration.errors.js';
import type { Target } from '../../wire/target.js';
import {
  rpcServerTopology,
  serverQueueName,
  topicQueueName,
  type Topology,
  type TopologyOptions,
} from '../../wire/topology.js';
import { RecentIds } from '../../wire/recent-ids.js';
import type { QueueNames } from '../queue-names.js';
import type { RpcAccessPolicy } from './access-policy.js';
import { checkTarget, DEFAULT_EXCHANGE } from '../client/call-settings.js';
import type { DeliveryFacts, RequestOrigin } from './incoming-request.js';
import { RpcDispatcher, type ServedInterface } from './rpc-dispatcher.js';
import type { RpcEndpoint } from './rpc-endpoint.js';

const pingEndpoint: RpcEndpoint = { methods: new Map([['oslo_rpc_server_ping', () => 'pong']]) };

/**
 * One interface that a server serves, and where.
 *
 * @publicApi
 */
export interface ServedEndpoint extends ServedInterface {
  readonly exchange: string;
  readonly topic: string;
  readonly server: string;
}

/** One topic that a server serves: its three queues and its endpoints. */
export class RpcService {
  readonly fanoutQueue: string;
  readonly queues: readonly string[];
  readonly dispatcher: RpcDispatcher;
  /** Ids of what was dispatched. Of its own: a fanout reaches all services of its topic, whatever their exchange. */
  readonly seen = new RecentIds();

  constructor(
    readonly exchange: string,
    readonly topic: string,
    readonly server: string,
    endpoints: readonly RpcEndpoint[],
    policy: RpcAccessPolicy,
    names: QueueNames,
  ) {
    this.fanoutQueue = names.ofFanout(topic);
    this.queues = [topicQueueName(topic), serverQueueName(topic, server), this.fanoutQueue];
    this.dispatcher = new RpcDispatcher(endpoints, policy);
  }

  get served(): readonly ServedEndpoint[] {
    const { exchange, topic, server } = this;
    return this.dispatcher.served.map((one) => ({ exchange, topic, server, ...one }));
  }

  topology(options: TopologyOptions): Topology {
    const { exchange, topic, server, fanoutQueue } = this;
    return rpcServerTopology({ exchange, topic, server, fanoutQueue }, options);
  }

  originOf({ queue }: DeliveryFacts): RequestOrigin {
    const { exchange, topic, server, fanoutQueue } = this;
    return { exchange, topic, server, isFanout: queue === fanoutQueue };
  }
}

const ENDPOINT_RULES: OptionRules<RpcEndpoint> = {
  namespace: OPTION_TABLE.namespace,
  version: { type: 'checked' },
  legacyNamespaces: OPTION_TABLE.legacyNamespaces,
  methods: { type: 'checked' },
  anyMethod: OPTION_TABLE.anyMethod,
  topic: OPTION_TABLE.topic,
  exchange: OPTION_TABLE.exchange,
};

/** How the endpoints of a server are served. */
export interface ServiceOptions {
  accessPolicy: RpcAccessPolicy;
  rpcPingEnabled: boolean;
}

/**
 * One service per exchange and topic that the endpoints name.
 *
 * @throws InvalidTarget without a topic or server
 */
export function servicesOf(
  target: Target,
  endpoints: readonly RpcEndpoint[],
  options: ServiceOptions,
  names: QueueNames,
): RpcService[] {
  checkTarget(target);
  const { server, topic: defaultTopic, exchange: defaultExchange = DEFAULT_EXCHANGE } = target;
  if (!server) throw new InvalidTarget("A server's target must name the server");
  const groups = new Map<string, { exchange: string; topic: string; endpoints: RpcEndpoint[] }>();
  for (const endpoint of endpoints) {
    checkOptions('An endpoint', endpoint, ENDPOINT_RULES);
    const { exchange = defaultExchange, topic = defaultTopic } = endpoint;
    const key = JSON.stringify([exchange, topic]);
    const group = groups.get(key) ?? { exchange, topic: requireTopic(topic), endpoints: [] };
    group.endpoints.push(endpoint);
    groups.set(key, group);
  }
  // As in Python, a server without endpoints consumes its queues, and refuses what comes.
  if (endpoints.length === 0)
    groups.set('', { exchange: defaultExchange, topic: requireTopic(defaultTopic), endpoints: [] });
  return [...groups.values()].map(
    (group) =>
      new RpcService(
        group.exchange,
        group.topic,
        server,
        withPing(group.endpoints, options),
        options.accessPolicy,
        names,
      ),
  );
}

function requireTopic(topic: string | undefined): string {
  if (topic) return topic;
  throw new InvalidTarget("A server's target must name the topic");
}

/** An endpoint of the user's own with that method comes first, and so is not replaced. */
function withPing(endpoints: readonly RpcEndpoint[], { rpcPingEnabled }: ServiceOptions): readonly RpcEndpoint[] {
  return rpcPingEnabled ? [...endpoints, pingEndpoint] : endpoints;
}

/** Finds the service of a delivery by its queue and, since queue names carry no exchange, by its exchange. */
export class ServiceDirectory {
  private readonly byQueue = new Map<string, RpcService[]>();

  constructor(readonly services: readonly RpcService[]) {
    for (const service of services) {
      for (const queue of service.queues) this.byQueue.set(queue, [...(this.byQueue.get(queue) ?? []), service]);
    }
  }

  get queues(): readonly string[] {
    return [...this.byQueue.keys()];
  }

  serviceOf({ queue, exchange }: DeliveryFacts): RpcService {
    const candidates = this.byQueue.get(queue)!;
    return candidates.find((service) => service.exchange === exchange) ?? candidates[0]!;
  }

  isFanoutQueue(queue: string): boolean {
    return this.services.some((service) => service.fanoutQueue === queue);
  }
}
