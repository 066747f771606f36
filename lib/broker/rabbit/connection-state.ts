import type { ConnectionChanged, ConnectionPhase } from '../../events/messaging-event.js';
import type { EventChannel } from '../../events/event-channel.js';

/** Which phase may follow which; `closed` is the end. */
const following: Readonly<Record<ConnectionPhase, readonly ConnectionPhase[]>> = {
  disconnected: ['connecting', 'closed'],
  connecting: ['connected', 'disconnected', 'closed'],
  connected: ['blocked', 'disconnected', 'closed'],
  blocked: ['connected', 'disconnected', 'closed'],
  closed: [],
};

/** What is known about a transition. */
export type TransitionFacts = Pick<ConnectionChanged, 'error' | 'host' | 'level' | 'message'>;

/** The phase of one connection; each transition is an event. */
export class ConnectionState {
  private current: ConnectionPhase = 'disconnected';

  constructor(
    private readonly connection: ConnectionChanged['connection'],
    private readonly events: EventChannel,
  ) {}

  get phase(): ConnectionPhase {
    return this.current;
  }

  enter(to: ConnectionPhase, facts: TransitionFacts): void {
    const from = this.current;
    if (!following[from].includes(to)) return;
    this.current = to;
    this.events.emit({ type: 'connection-changed', connection: this.connection, from, to, ...facts });
  }
}
