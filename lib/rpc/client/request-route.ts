import type { TopologyOptions } from '../../wire/topology.js';
import { controlExchangeTopology, fanoutExchangeTopology, type Topology } from '../../wire/topology.js';
import { fanoutExchangeName, requireName, serverQueueName, topicQueueName } from '../../wire/topology.js';
import { describeTarget } from '../../wire/target.js';
import { requireTopic, type CallSettings } from './call-settings.js';

/** The way of the requests of one target. */
export interface RequestRoute {
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  readonly topology: Topology;
  /** For people. */
  readonly target: string;
}

/** The routes of a broker's clients; one topology object per exchange, since brokers compare them by identity. */
export class RequestRoutes {
  private readonly topologies = new Map<string, Topology>();

  constructor(private readonly options: TopologyOptions) {}

  /** @throws InvalidTarget without a topic, or with names that AMQP cannot write */
  routeOf(settings: CallSettings): RequestRoute {
    const topic = requireTopic(settings);
    const target = describeTarget({ ...settings, topic, server: settings.server ?? undefined });
    if (settings.fanout) return this.fanoutRoute(topic, target);
    const { exchange, server, atLeastOnce: mandatory } = settings;
    const routingKey = server === null ? topicQueueName(topic) : serverQueueName(topic, server);
    requireName('exchange', exchange);
    requireName('routing key', routingKey);
    const topology = this.topologyOf(`topic ${exchange}`, () => controlExchangeTopology(exchange, this.options));
    return { exchange, routingKey, mandatory, topology, target };
  }

  /** Python never publishes a fanout mandatory, and with an empty routing key. */
  private fanoutRoute(topic: string, target: string): RequestRoute {
    const exchange = fanoutExchangeName(topic);
    requireName('exchange', exchange);
    const topology = this.topologyOf(`fanout ${topic}`, () => fanoutExchangeTopology(topic, this.options));
    return { exchange, routingKey: '', mandatory: false, topology, target };
  }

  private topologyOf(key: string, build: () => Topology): Topology {
    const topology = this.topologies.get(key) ?? build();
    this.topologies.set(key, topology);
    return topology;
  }
}
