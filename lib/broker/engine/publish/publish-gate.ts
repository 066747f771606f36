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

/**
 * `closed`: until there is a connection to publish on; `checking`: whether our consumers are there, for a bounded time. `ended`: open
 * for good.
 */
type GateState =
  | { readonly name: 'checking'; readonly timer: NodeJS.Timeout }
  | { readonly name: 'closed' | 'ended' | 'open' };

const following: Transitions<GateState['name']> = {
  open: ['closed', 'ended'],
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
    return this.state.name === 'open' || this.state.name === 'ended';
  }

  /** No answer is awaited any more: nothing is kept back from now on. */
  end(): void {
    this.state.enter({ name: 'ended' });
  }

  private connectionLost({ fellSilent }: Session): void {
    if (!fellSilent || !this.parts.consuming.isStarted) return;
    if (this.state.name === 'open' || this.state.name === 'checking') this.state.enter({ name: 'closed' });
  }

  private async openInTime(): Promise<void> {
    if (this.state.name !== 'closed') return;
    const checking: GateState = { name: 'checking', timer: setTimeout(() => this.open(), longestMs) };
    this.state.enter(checking);
    // Silent once more: it begins anew with the next connection.
    while (this.state.value === checking) {
      if (!(await this.consumersAreThere())) await pause(checkEveryMs);
      else if (this.state.value === checking) this.open();
    }
  }

  private open(): void {
    this.state.enter({ name: 'open' });
    this.parts.onOpen();
  }

  private async consumersAreThere(): Promise<boolean> {
    const { session } = this.parts.consuming;
    return session !== undefined && this.parts.isConsuming() && (await session.answers());
  }
}
