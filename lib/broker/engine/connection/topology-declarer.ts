import { MessageDeliveryFailure, PreconditionFailed } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { requireNames, type Declaration, type Topology } from '../../../wire/topology.js';
import { type LinkChannel, ReplyCode } from '../../link.js';
import { isInequivalentDurable, isStopped } from '../../refusal-words.js';
import { replyCode, replyText } from './reply-codes.js';
import type { AskedConnection, ClosingRequest, ClosingRequests } from './closing-requests.js';
import type { RequestChannel } from './broker-request.js';

/** Declarations that have a name of their own. */
type NamedDeclaration = Exclude<Declaration, { kind: 'binding' }>;

/** Declares topologies on one connection. */
export class TopologyDeclarer {
  private declared = new WeakSet<Topology>();
  /** Exchanges and queues that are taken as they are, and whether they are durable: not as we are configured. */
  private readonly takenAsTheyAre = new Map<string, boolean>();
  /** Each is told of once. */
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
    this.takenAsTheyAre.clear();
  }

  /**
   * Declares everything, in order. What a peer has made with another durability is only looked for, and used: all peers of a
   * bus have to agree, and whoever comes first decides. Python does so for what is not durable. Whoever declares something
   * again misses something of it: what is in its place now is asked afresh.
   *
   * @throws PreconditionFailed something exists with other properties
   * @throws MessageDeliveryFailure not allowed to declare it
   * @throws InvalidTarget a name that AMQP cannot write
   */
  async declare(topology: Topology): Promise<void> {
    if (this.declared.has(topology)) {
      for (const one of topology) if (one.kind !== 'binding') this.takenAsTheyAre.delete(keyOf(one));
    }
    for (const declaration of topology) await this.declareOne(this.adapted(declaration, topology));
    this.declared.add(topology);
  }

  private async declareOne(declaration: Declaration): Promise<void> {
    requireNames(declaration);
    this.closing.requirePermitted(requestOf(declaration));
    if (declaration.kind !== 'binding' && this.takenAsTheyAre.has(keyOf(declaration))) {
      if (await this.isThere(declaration)) return;
      this.takenAsTheyAre.delete(keyOf(declaration));
    }
    try {
      await this.write(declaration);
    } catch (error) {
      if (declaration.kind === 'binding') throw refusal(declaration, error);
      if (isInequivalentDurable(error)) return await this.takeAsItIs(declaration, error);
      // A queue that is not durable has no messages to lose, and is made anew.
      const isLeftBehind = declaration.kind === 'queue' && !declaration.durable && isStopped(error);
      if (!isLeftBehind) throw refusal(declaration, error);
      await this.channel.ask(`delete queue '${declaration.name}'`, (channel) => channel.deleteQueue(declaration.name));
      await this.write(declaration).catch((failure: unknown) => Promise.reject(refusal(declaration, failure)));
    }
  }

  /** As in Python, a queue of an exchange that is not durable is not either: who has made the exchange so declares it so. */
  private adapted(declaration: Declaration, topology: Topology): Declaration {
    if (declaration.kind !== 'queue' || !declaration.durable) return declaration;
    // Quorum queues and streams are durable by nature.
    if (declaration.arguments['x-queue-type'] !== undefined) return declaration;
    const exchanges = topology.flatMap((one) =>
      one.kind === 'binding' && one.queue === declaration.name ? [one.exchange] : [],
    );
    const isTransient = exchanges.some((name) => this.takenAsTheyAre.get(keyOf({ kind: 'exchange', name })) === false);
    if (!isTransient) return declaration;
    this.report(declaration, 'its exchange is not durable');
    return { ...declaration, durable: false };
  }

  private write(declaration: Declaration): Promise<void> {
    const request = requestOf(declaration);
    return this.channel.ask(request.what, (channel) =>
      this.closing.ask(request, this.connection, () => write(channel, declaration)),
    );
  }

  private async takeAsItIs(declaration: NamedDeclaration, error: unknown): Promise<void> {
    if (await this.isThere(declaration)) {
      this.takenAsTheyAre.set(keyOf(declaration), !declaration.durable);
      this.report(declaration, replyText(error));
      return;
    }
    // It has gone since it was in the way.
    await this.write(declaration).catch((failure: unknown) => Promise.reject(refusal(declaration, failure)));
  }

  private report(declaration: NamedDeclaration, reason: string): void {
    const { kind, name } = declaration;
    if (this.reported.has(keyOf(declaration))) return;
    this.reported.add(keyOf(declaration));
    const { host } = this.connection;
    const message = `The ${kind} '${name}' at ${host} is taken as it is, though it is not as configured: ${reason}`;
    this.events.emit({ type: 'durability-mismatch', level: 'warn', message, kind, name });
  }

  /** A passive declaration: it asks for nothing but the name. */
  private async isThere({ kind, name }: NamedDeclaration): Promise<boolean> {
    try {
      await this.channel.ask<unknown>(`look for ${kind} '${name}'`, (channel) =>
        kind === 'queue' ? channel.inspectQueue(name) : channel.inspectExchange(name),
      );
      return true;
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return false;
      throw error;
    }
  }
}

function keyOf({ kind, name }: Pick<NamedDeclaration, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
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
