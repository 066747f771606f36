import { pause } from '../../../events/pause.js';
import type { Connection } from '../connection/connection.js';
import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';

export interface GateParts {
  publishing: Connection;
  consuming: Connection;
  isConsuming(): boolean;
  onOpen(): void;
}

/** Longest time that messages are kept back for: then let the answers come late. */
const longestMs = 3_000;
const checkEveryMs = 20;

/** `closed`: until there is a connection to publish on; `checking`: whether our consumers are there. */
type GateState =
  | { readonly name: 'checking'; readonly abort: AbortController }
  | { readonly name: 'closed' }
  | { readonly name: 'ended' }
  | { readonly name: 'open' };

const following: Transitions<GateState['name']> = {
  open: ['closed'],
  closed: ['checking', 'ended'],
  checking: ['open', 'closed', 'ended'],
  ended: [],
};

/**
 * Keeps messages back after a connection went silent, until our consumers are known to be there.
 *
 * What has silenced one connection has silenced the other as well, which may not have been noticed yet. The answer to a
 * call that goes out before would be delivered to a consumer that only the broker believes alive.
 */
export class PublishGate {
  private readonly state = new State<GateState>('publish gate', following, { name: 'open' });

  constructor(private readonly parts: GateParts) {
    parts.publishing.listen({
      disconnected: (session) => this.connectionLost(session),
      connected: () => void this.openInTime(),
    });
  }

  get isOpen(): boolean {
    return this.state.name === 'open';
  }

  /** Waits for nothing any more; what is open stays open. */
  end(): void {
    if (!this.isOpen) this.enter({ name: 'ended' });
  }

  private connectionLost({ fellSilent }: Session): void {
    if (!fellSilent || !this.parts.consuming.isStarted) return;
    if (this.state.name === 'open' || this.state.name === 'checking') this.enter({ name: 'closed' });
  }

  private async openInTime(): Promise<void> {
    if (this.state.name !== 'closed') return;
    const abort = new AbortController();
    this.enter({ name: 'checking', abort });
    const giveUpAt = performance.now() + longestMs;
    while (!abort.signal.aborted && performance.now() < giveUpAt && !(await this.consumersAreThere(giveUpAt))) {
      await pause(checkEveryMs);
    }
    // Silent once more: it begins anew with the next connection.
    if (abort.signal.aborted) return;
    this.enter({ name: 'open' });
    this.parts.onOpen();
  }

  private async consumersAreThere(giveUpAt: number): Promise<boolean> {
    const { session } = this.parts.consuming;
    if (!session || !this.parts.isConsuming()) return false;
    return Promise.race([session.answers(), pause(giveUpAt - performance.now()).then(() => false)]);
  }

  private enter(next: GateState): void {
    const before = this.state.enter(next);
    if (before?.name === 'checking') before.abort.abort();
  }
}
