import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionSupervisor } from './connection-supervisor.js';

export interface SilenceGateParts {
  publishing: ConnectionSupervisor;
  consuming: ConnectionSupervisor;
  isConsuming(): boolean;
  onOpen(): void;
}

/** Longest time that messages are kept back for: then let the answers come late. */
const longestMs = 3_000;
const lookEveryMs = 20;

/**
 * Keeps messages back after a connection went silent, until our consumers are known to be there.
 *
 * What has silenced one connection has silenced the other as well, which may not have been noticed yet. The answer to a
 * call that goes out before would be delivered to a consumer that only the broker believes alive.
 */
export class SilenceGate {
  private closed = false;
  private looking = false;
  private silences = 0;
  private ended = false;

  constructor(private readonly parts: SilenceGateParts) {
    parts.publishing.listen({
      lineDown: (line) => {
        if (!line.fellSilent || !parts.consuming.isStarted) return;
        this.closed = true;
        this.silences += 1;
      },
      lineUp: () => void this.openInTime(),
    });
  }

  get isOpen(): boolean {
    return !this.closed;
  }

  end(): void {
    this.ended = true;
  }

  private async openInTime(): Promise<void> {
    if (!this.closed || this.looking) return;
    this.looking = true;
    const { silences } = this;
    const giveUpAt = performance.now() + longestMs;
    while (!this.ended && performance.now() < giveUpAt && !(await this.consumersAreThere(giveUpAt))) {
      await delay(lookEveryMs);
    }
    this.looking = false;
    // Silent once more meanwhile: it begins anew with the next connection, which may be there.
    if (silences !== this.silences && !this.ended) {
      if (this.parts.publishing.line) void this.openInTime();
      return;
    }
    this.closed = false;
    this.parts.onOpen();
  }

  private async consumersAreThere(giveUpAt: number): Promise<boolean> {
    const { line } = this.parts.consuming;
    if (!line || !this.parts.isConsuming()) return false;
    return Promise.race([line.answers(), delay(giveUpAt - performance.now(), false, { ref: false })]);
  }
}
