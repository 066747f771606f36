import type { EventChannel } from './event-channel.js';

/** Checks per threshold; a hold-up may be measured one interval too short. */
const checksPerThreshold = 30;
/** More often would keep an idle process busy. */
const shortestIntervalMs = 50;

/**
 * Tells when this process was held up for more than half a heartbeat: held up twice as long, it is taken
 * for dead by the broker, and its connections are closed.
 */
export class EventLoopWatch {
  private readonly timer: NodeJS.Timeout | undefined;
  /** One clock for good: fake ones come and go. */
  private readonly now = performance.now.bind(performance);
  private readonly thresholdMs: number;
  private readonly intervalMs: number;
  private lastCheckAt = this.now();

  /** `heartbeatSeconds` 0: no heartbeats, nobody is taken for dead. */
  constructor(
    private readonly heartbeatSeconds: number,
    private readonly events: EventChannel,
  ) {
    this.thresholdMs = (heartbeatSeconds * 1000) / 2;
    this.intervalMs = Math.max(shortestIntervalMs, this.thresholdMs / checksPerThreshold);
    if (heartbeatSeconds <= 0) return;
    this.timer = setInterval(() => this.check(), this.intervalMs);
    this.timer.unref();
  }

  end(): void {
    clearInterval(this.timer);
  }

  private check(): void {
    const now = this.now();
    const blockedMs = Math.round(now - this.lastCheckAt - this.intervalMs);
    this.lastCheckAt = now;
    if (blockedMs < this.thresholdMs) return;
    const { heartbeatSeconds } = this;
    const message =
      `This process was held up for ${blockedMs} ms or more, over half of its heartbeat (${heartbeatSeconds} s): ` +
      'work that blocks the event loop belongs into a worker thread';
    this.events.emit({ type: 'event-loop-blocked', level: 'warn', message, blockedMs, heartbeatSeconds });
  }
}
