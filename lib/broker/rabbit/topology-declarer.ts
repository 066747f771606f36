import type { Channel } from 'amqplib';
import { MessageDeliveryFailure, PreconditionFailed } from '../../errors/delivery.errors.js';
import { requireNames, type Declaration, type QueueDeclaration, type Topology } from '../../wire/topology.js';
import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { SpareChannel } from './spare-channel.js';

/** Declares topologies on one connection. */
export class TopologyDeclarer {
  private declared = new WeakSet<Topology>();
  /** Exchanges that exist as non-durable although we are configured for durable ones. */
  private readonly transientExchanges = new Set<string>();

  constructor(private readonly channel: SpareChannel) {}

  isDeclared(topology: Topology): boolean {
    return this.declared.has(topology);
  }

  /** What was declared may be gone: an auto-delete exchange goes with its last binding. */
  forget(): void {
    this.declared = new WeakSet();
  }

  /**
   * Declares everything, in order.
   *
   * @throws PreconditionFailed something exists with other properties
   * @throws MessageDeliveryFailure not allowed to declare it
   * @throws InvalidTarget a name that AMQP cannot write
   */
  async declare(topology: Topology): Promise<void> {
    for (const declaration of topology) await this.declareOne(declaration, topology);
    this.declared.add(topology);
  }

  private async declareOne(declaration: Declaration, topology: Topology): Promise<void> {
    requireNames(declaration);
    const wanted = this.adapted(declaration, topology);
    try {
      await this.channel.run(nameOf(wanted), (channel) => write(channel, wanted));
    } catch (error) {
      if (!isDurableOverTransient(wanted, error)) throw refusal(wanted, error);
      if (wanted.kind === 'exchange') this.transientExchanges.add(wanted.name);
      await this.declareTransient(wanted);
    }
  }

  /**
   * A peer with other options has made it non-durable. As `_declare_fallback_nondurable` in Python:
   * taken as it is, once, and queues of such an exchange are non-durable as well.
   */
  private async declareTransient(wanted: Declaration): Promise<void> {
    const transient = wanted.kind === 'binding' ? wanted : { ...wanted, durable: false };
    await this.channel
      .run(nameOf(transient), (channel) => write(channel, transient))
      .catch((error: unknown) => Promise.reject(refusal(transient, error)));
  }

  private adapted(declaration: Declaration, topology: Topology): Declaration {
    if (declaration.kind === 'binding' || !declaration.durable) return declaration;
    if (declaration.kind === 'exchange') {
      return this.transientExchanges.has(declaration.name) ? { ...declaration, durable: false } : declaration;
    }
    return this.mustBeTransient(declaration, topology) ? { ...declaration, durable: false } : declaration;
  }

  private mustBeTransient(queue: QueueDeclaration, topology: Topology): boolean {
    // Quorum queues and streams are durable by nature.
    if (queue.arguments['x-queue-type'] !== undefined) return false;
    return topology.some(
      (other) => other.kind === 'binding' && other.queue === queue.name && this.transientExchanges.has(other.exchange),
    );
  }
}

async function write(channel: Channel, declaration: Declaration): Promise<void> {
  switch (declaration.kind) {
    case 'exchange': {
      const { name, type, durable, autoDelete } = declaration;
      await channel.assertExchange(name, type, { durable, autoDelete });
      break;
    }
    case 'queue': {
      const { name, durable, autoDelete } = declaration;
      await channel.assertQueue(name, { durable, autoDelete, arguments: tableOf(declaration.arguments) });
      break;
    }
    case 'binding':
      await channel.bindQueue(declaration.queue, declaration.exchange, declaration.routingKey);
  }
}

/** Whole numbers as int32, the way Python writes them; amqplib would choose by their size. */
function tableOf(values: Readonly<Record<string, number | string>>): Record<string, unknown> {
  const encoded = Object.entries(values).map(([name, value]) => {
    if (typeof value !== 'number') return [name, value] as const;
    return [name, { '!': value > 0x7fffffff ? 'int64' : 'int32', value }] as const;
  });
  return Object.fromEntries(encoded);
}

/** In words, for errors. */
function nameOf(declaration: Declaration): string {
  if (declaration.kind !== 'binding') return `declare ${declaration.kind} '${declaration.name}'`;
  const { queue, exchange, routingKey } = declaration;
  return `bind queue '${queue}' to exchange '${exchange}' by '${routingKey}'`;
}

function isDurableOverTransient(wanted: Declaration, error: unknown): boolean {
  if (wanted.kind === 'binding' || !wanted.durable || replyCode(error) !== ReplyCode.preconditionFailed) return false;
  return replyText(error).includes("inequivalent arg 'durable'");
}

function refusal(wanted: Declaration, error: unknown): unknown {
  const name = wanted.kind === 'binding' ? wanted.queue : wanted.name;
  if (replyCode(error) === ReplyCode.preconditionFailed) {
    return new PreconditionFailed(name, replyText(error), { cause: error });
  }
  if (replyCode(error) === ReplyCode.accessRefused) {
    return new MessageDeliveryFailure(`The ${wanted.kind} '${name}' was refused: ${replyText(error)}`, {
      cause: error,
    });
  }
  return error;
}
