import type { MessageBroker, QueueInspection } from '../../broker/broker.js';

/** The result of an inspection of a call's target so far. */
export interface TargetLook {
  /** Undefined: the broker has not answered, or cannot be asked. */
  seen?: TargetSeen;
}

export interface TargetSeen {
  readonly hasExchange: boolean;
  /** Undefined: there is none. */
  readonly queue: QueueInspection | undefined;
}

/** Looks at where requests go, changing nothing there; one look per target at a time, shared by all calls. */
export class TargetInspections {
  private readonly running = new Map<string, TargetLook>();

  constructor(private readonly broker: MessageBroker) {}

  /** Begins a look, or joins the one that is under way. */
  look(exchange: string, queue: string): TargetLook {
    const key = JSON.stringify([exchange, queue]);
    const running = this.running.get(key);
    if (running) return running;
    const look: TargetLook = {};
    this.running.set(key, look);
    void this.ask(look, exchange, queue).then(() => this.running.delete(key));
    return look;
  }

  private async ask(look: TargetLook, exchange: string, queue: string): Promise<void> {
    try {
      const [hasExchange, seen] = await Promise.all([
        this.broker.hasExchange(exchange),
        this.broker.inspectQueue(queue),
      ]);
      look.seen = { hasExchange, queue: seen };
    } catch {
      // Without a line there is nothing to see, and the outage is known.
    }
  }
}
