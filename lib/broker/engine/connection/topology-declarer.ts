import { MessageDeliveryFailure, PreconditionFailed } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { requireNames, type Declaration, type QueueDeclaration, type Topology } from '../../../wire/topology.js';
import { type LinkChannel, ReplyCode } from '../../link.js';
import { replyCode, replyText } from './reply-codes.js';
import type { AskedConnection, ClosingRequest, ClosingRequests } from './closing-requests.js';
import type { RequestChannel } from './broker-request.js';

/** Declarations that have a name of their own. */
type NamedDeclaration = Exclude<Declaration, { kind: 'binding' }>;

/** Declares topologies on one connection. */
export class TopologyDeclarer {
  private declared = new WeakSet<Topology>();
  /** Exchanges that exist as non-durable although we are configured for durable ones. */
  private readonly transientExchanges = new Set<string>();
  /** Exchanges and queues that were to be durable and are not: each is told of once. */
  private readonly reported = new Set<string>();

  constructor(
    private readonly channel: RequestChannel,
    private readonly closing: ClosingRequests,
    private readonly connection: AskedConnection,
    private readonly events: EventChannel,
  ) {}

  isDeclared(topology: Topology): boolean {
    return this.declared.has(topology);
  }

  /** Objects that were declared may be gone: an auto-delete exchange goes with its last binding. */
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
    this.closing.requirePermitted(requestOf(wanted));
    try {
      await this.write(wanted);
    } catch (error) {
      const instead = await this.secondTry(declaration, wanted, error);
      if (!instead) throw refusal(wanted, error);
      await this.write(instead).catch((failure: unknown) => Promise.reject(refusal(instead, failure)));
    }
  }

  private write(declaration: Declaration): Promise<void> {
    const request = requestOf(declaration);
    return this.channel.ask(request.what, (channel) =>
      this.closing.ask(request, this.connection, () => write(channel, declaration)),
    );
  }

  /** The declaration to try after this refusal; undefined: nothing would help. */
  private async secondTry(
    declaration: Declaration,
    wanted: Declaration,
    error: unknown,
  ): Promise<Declaration | undefined> {
    if (wanted.kind === 'binding') return undefined;
    if (isStopped(wanted, error)) {
      await this.channel.ask(`delete queue '${wanted.name}'`, (channel) => channel.deleteQueue(wanted.name));
      return wanted;
    }
    if (!isInequivalentDurable(error)) return undefined;
    if (wanted !== declaration) {
      // Somebody has made it anew, as durable as we wanted it.
      if (wanted.kind === 'exchange') this.transientExchanges.delete(wanted.name);
      return declaration;
    }
    if (!wanted.durable) return undefined;
    if (wanted.kind === 'exchange') this.transientExchanges.add(wanted.name);
    return this.transient(wanted);
  }

  private adapted(declaration: Declaration, topology: Topology): Declaration {
    if (declaration.kind === 'binding' || !declaration.durable) return declaration;
    if (declaration.kind === 'exchange') {
      return this.transientExchanges.has(declaration.name) ? this.transient(declaration) : declaration;
    }
    return this.mustBeTransient(declaration, topology) ? this.transient(declaration) : declaration;
  }

  /**
   * A peer with other options has made it non-durable. As `_declare_fallback_nondurable` in Python:
   * taken as it is, once, and queues of such an exchange are non-durable as well.
   */
  private transient<T extends NamedDeclaration>(declaration: T): T {
    const { kind, name } = declaration;
    if (!this.reported.has(`${kind} ${name}`)) {
      const message = `The ${kind} '${name}' is not durable at ${this.connection.host}, though it was to be: taken as it is`;
      this.events.emit({ type: 'durability-mismatch', level: 'warn', message, kind, name });
    }
    this.reported.add(`${kind} ${name}`);
    return { ...declaration, durable: false };
  }

  private mustBeTransient(queue: QueueDeclaration, topology: Topology): boolean {
    // Quorum queues and streams are durable by nature.
    if (queue.arguments['x-queue-type'] !== undefined) return false;
    return topology.some(
      (other) => other.kind === 'binding' && other.queue === queue.name && this.transientExchanges.has(other.exchange),
    );
  }
}

function write(channel: LinkChannel, declaration: Declaration): Promise<void> {
  switch (declaration.kind) {
    case 'exchange':
      return channel.declareExchange(declaration);
    case 'queue':
      return channel.declareQueue(declaration);
    case 'binding':
      return channel.bindQueue(declaration);
  }
}

function requestOf(declaration: Declaration): ClosingRequest {
  if (declaration.kind !== 'binding') {
    const { kind, name } = declaration;
    return { name, what: `declare ${kind} '${name}'` };
  }
  const { queue, exchange, routingKey } = declaration;
  return { name: queue, what: `bind queue '${queue}' to exchange '${exchange}' by '${routingKey}'` };
}

function isInequivalentDurable(error: unknown): boolean {
  return replyCode(error) === ReplyCode.preconditionFailed && replyText(error).includes("inequivalent arg 'durable'");
}

/**
 * A queue that was declared while its virtual host was being deleted stays behind without a process, for ever.
 * What is not durable has no messages to lose then, and is made anew.
 */
function isStopped(wanted: NamedDeclaration, error: unknown): boolean {
  if (wanted.kind !== 'queue' || wanted.durable || replyCode(error) !== ReplyCode.notFound) return false;
  return replyText(error).includes('process is stopped');
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
