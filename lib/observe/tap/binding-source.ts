import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { NOTIFICATION_PRIORITIES } from '../../wire/notification.js';
import { fanoutExchangeName } from '../../wire/topology.js';
import { addressIn } from '../traffic/address-text.js';
import { openTapQueue, type OpenTapQueue } from './tap-queue.js';

/** A key that may be bound: as long as what its messages are for is there. */
export interface BindableKey {
  readonly exchange: string;
  readonly key: string;
  /** Its messages find this queue; a fanout has the exchange alone. */
  readonly queue?: string;
}

/** Told of what is bound. */
export interface BindingObserver {
  deliveries(deliveries: readonly Delivery[]): void;
  bound(key: BindableKey): void;
  unbound(key: BindableKey): void;
}

const LOOK_EVERY_MS = 1_000;

/** The keys of topics (`conductor`, `conductor.host1`) and of topics of notifications. */
export function bindableKeys(
  exchanges: readonly string[],
  topics: readonly string[],
  notificationTopics: readonly string[],
): BindableKey[] {
  const priorities = notificationTopics.flatMap((topic) => NOTIFICATION_PRIORITIES.map((one) => `${topic}.${one}`));
  const shared = [...topics, ...priorities];
  const fanouts = topics.filter((topic) => addressIn(topic).server === undefined);
  return [
    ...exchanges.flatMap((exchange) => shared.map((key) => ({ exchange, key, queue: key }))),
    ...fanouts.map((topic) => ({ exchange: fanoutExchangeName(topic), key: topic })),
  ];
}

/**
 * Copies of what is published, by bindings of our own. A binding makes every message of its key routed, and a caller would
 * no longer be told that nobody is there: so only keys whose queue exists are bound, and unbound when it goes.
 */
export class BindingSource {
  private readonly open = new Map<BindableKey, OpenTapQueue>();
  private looking: Promise<void> = Promise.resolve();
  private state: { readonly name: 'closed' } | { readonly name: 'watching'; readonly timer?: NodeJS.Timeout } = {
    name: 'watching',
  };

  constructor(
    private readonly broker: MessageBroker,
    private readonly keys: readonly BindableKey[],
    private readonly observer: BindingObserver,
  ) {}

  get bound(): readonly BindableKey[] {
    return [...this.open.keys()];
  }

  get queues(): readonly string[] {
    return [...this.open.values()].map(({ queue }) => queue);
  }

  /** The first look; others follow, one a second. @throws MessageDeliveryFailure not allowed to bind */
  async start(): Promise<void> {
    for (const key of this.keys) await this.look(key);
    this.lookLater();
  }

  async close(): Promise<void> {
    if (this.state.name === 'closed') return;
    clearTimeout(this.state.timer);
    this.state = { name: 'closed' };
    await this.looking;
    await Promise.all([...this.open.values()].map((queue) => queue.close()));
    this.open.clear();
  }

  private lookLater(): void {
    if (this.state.name === 'closed') return;
    const timer = setTimeout(() => {
      this.looking = this.lookAtAll().finally(() => this.lookLater());
    }, LOOK_EVERY_MS);
    this.state = { name: 'watching', timer };
  }

  private async lookAtAll(): Promise<void> {
    for (const key of this.keys) {
      if (this.state.name === 'closed') return;
      // While there is no connection nothing is known, and nothing is bound either.
      await this.look(key).catch(() => undefined);
    }
  }

  private async look(key: BindableKey): Promise<void> {
    const open = this.open.get(key);
    if (await this.isWanted(key)) {
      if (!open) await this.bind(key);
    } else if (open) {
      this.open.delete(key);
      await open.close();
      this.observer.unbound(key);
    }
  }

  /** An exchange is never declared by us: it would be as we are configured, and not as its services are. */
  private async isWanted({ exchange, queue }: BindableKey): Promise<boolean> {
    if (!(await this.broker.hasExchange(exchange))) return false;
    return queue === undefined || (await this.broker.inspectQueue(queue)) !== undefined;
  }

  private async bind(key: BindableKey): Promise<void> {
    const { exchange, key: routingKey } = key;
    const take = (deliveries: readonly Delivery[]): void => this.observer.deliveries(deliveries);
    this.open.set(key, await openTapQueue(this.broker, 'tap', [{ exchange, routingKey }], take));
    this.observer.bound(key);
  }
}
