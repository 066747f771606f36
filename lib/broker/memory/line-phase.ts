import type { EventChannel } from '../../events/event-channel.js';
import type { ConnectionChanged, ConnectionPhase } from '../../events/messaging-event.js';

/** What a client's two connections, which come and go together, are doing; each change is an event. */
export class LinePhase {
  private phase: ConnectionPhase = 'connecting';

  constructor(
    private readonly url: string,
    private readonly events: EventChannel,
  ) {}

  get current(): ConnectionPhase {
    return this.phase;
  }

  get isUp(): boolean {
    return this.phase === 'connected' || this.phase === 'blocked';
  }

  enter(to: ConnectionPhase, facts: Pick<ConnectionChanged, 'error'> = {}): void {
    const from = this.phase;
    this.phase = to;
    this.tell('publish', from, to, facts);
    // A broker under an alarm goes on reading what consumers write.
    const [ofConsuming, nextOfConsuming] = [unblocked(from), unblocked(to)];
    if (ofConsuming !== nextOfConsuming) this.tell('consume', ofConsuming, nextOfConsuming, facts);
  }

  private tell(
    connection: ConnectionChanged['connection'],
    from: ConnectionPhase,
    to: ConnectionPhase,
    facts: Pick<ConnectionChanged, 'error'>,
  ): void {
    this.events.emit({
      type: 'connection-changed',
      level: to === 'disconnected' || to === 'blocked' ? 'warn' : 'log',
      message: `${this.url}: the ${connection} connection is ${to}`,
      connection,
      from,
      to,
      ...facts,
    });
  }
}

function unblocked(phase: ConnectionPhase): ConnectionPhase {
  return phase === 'blocked' ? 'connected' : phase;
}
