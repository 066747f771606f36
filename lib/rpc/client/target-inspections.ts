import type { MessageBroker, QueueInspection } from '../../broker/broker.js';

/** The result of an inspection of a call's target so far. */
export interface TargetInspection {
  /** On the clock of `performance.now()`. */
  readonly begunAt: number;
  /** Undefined: the broker has not answered, or could not be asked. */
  seen?: TargetSeen;
  /** Why it could not be asked. */
  failure?: string;
}

export interface TargetSeen {
  readonly hasExchange: boolean;
  /** Undefined: there is none. */
  readonly queue: QueueInspection | undefined;
}

/** Inspects where requests go, changing nothing there; one inspection per target at a time, shared by all calls. */
export class TargetInspections {
  private readonly running = new Map<string, TargetInspection>();

  constructor(private readonly broker: MessageBroker) {}

  /** Begins a inspection, or joins the one that is under way. */
  inspection(exchange: string, queue: string): TargetInspection {
    const key = JSON.stringify([exchange, queue]);
    const running = this.running.get(key);
    if (running) return running;
    const inspection: TargetInspection = { begunAt: performance.now() };
    this.running.set(key, inspection);
    void this.ask(inspection, exchange, queue).then(() => this.running.delete(key));
    return inspection;
  }

  private async ask(inspection: TargetInspection, exchange: string, queue: string): Promise<void> {
    try {
      const [hasExchange, seen] = await Promise.all([
        this.broker.hasExchange(exchange),
        this.broker.inspectQueue(queue),
      ]);
      inspection.seen = { hasExchange, queue: seen };
    } catch (error) {
      inspection.failure = (error as Error).message;
    }
  }
}
