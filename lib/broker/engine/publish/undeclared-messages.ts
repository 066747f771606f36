import { OsloMessagingError } from '../../../errors/oslo-messaging.error.js';
import { pause } from '../../../events/pause.js';
import type { Topology } from '../../../wire/topology.js';
import { Backoff } from '../connection/backoff.js';
import type { Session } from '../connection/session.js';
import { type PendingMessage, Waiting } from './pending-message.js';

/** Told the fate of messages whose topology was to be declared, in their order. `error`: it could not be. */
export type AfterDeclaring = (session: Session, messages: PendingMessage[], error?: unknown) => void;

const tries = 3;
const backoff = new Backoff();

/** The messages of one topology. */
class Undeclared extends Waiting {
  readonly name = 'declaring';
}

/** Messages that wait until their topology is declared, each topology for itself: one that hangs holds up no others. */
export class UndeclaredMessages {
  private readonly places = new Map<Topology, Undeclared>();

  constructor(private readonly outcome: AfterDeclaring) {}

  /** Declares with the first of them. */
  add(session: Session, topology: Topology, pending: PendingMessage): void {
    const place = this.places.get(topology);
    if (place) return pending.move(place);
    const first = new Undeclared();
    this.places.set(topology, first);
    pending.move(first);
    declare(session, topology, tries).then(
      () => this.declared(session, topology, first),
      (error: unknown) => this.declared(session, topology, first, error),
    );
  }

  private declared(session: Session, topology: Topology, place: Undeclared, error?: unknown): void {
    this.places.delete(topology);
    this.outcome(session, [...place.messages], error);
  }
}

/** An error that is neither a refusal nor a loss of the connection (a node that fails over) may pass. */
async function declare(session: Session, topology: Topology, triesLeft: number): Promise<void> {
  try {
    await session.declarer.declare(topology);
  } catch (error) {
    if (error instanceof OsloMessagingError || !session.alive || triesLeft <= 1) throw error;
    await pause(backoff.delayMs(0));
    await declare(session, topology, triesLeft - 1);
  }
}
