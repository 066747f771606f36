import type { HeldNotification } from '../held-notification.js';
import type { RequeuePolicy } from './requeue-policy.js';

/** Of so many that may be held, one place at least stays free for others. */
const PLACES_FOR_ONE_OTHER = 8;

/**
 * Notifications that have failed and wait, unacknowledged, until they are tried again: what fails again and again does so
 * slowly, while others flow.
 *
 * When too many wait, as everything fails, those that wait longest are tried early, in turn. That counts as no attempt of its
 * own: a short outage must use up nobody's attempts, however much comes in meanwhile.
 */
export class HeldBack {
  private readonly most: number;
  /** The one that waits longest first. */
  private readonly waiting = new Map<HeldNotification, NodeJS.Timeout>();
  private readonly hurried = new Map<HeldNotification, NodeJS.Timeout>();

  constructor(
    private readonly policy: RequeuePolicy,
    private readonly tryAgain: (held: HeldNotification) => void,
    prefetch: number,
  ) {
    this.most = Math.max(1, prefetch - Math.max(1, Math.floor(prefetch / PLACES_FOR_ONE_OTHER)));
  }

  hold(held: HeldNotification): void {
    this.start(this.waiting, held, this.policy.delayMs(held.attempts));
    const [longest] = this.waiting.keys();
    if (this.waiting.size > this.most && longest) this.hurry(longest);
  }

  release(held: HeldNotification): void {
    for (const timers of [this.waiting, this.hurried]) {
      clearTimeout(timers.get(held));
      timers.delete(held);
    }
  }

  private hurry(held: HeldNotification): void {
    this.release(held);
    held.hurried = true;
    this.start(this.hurried, held, this.policy.delayMs(1));
  }

  private start(timers: Map<HeldNotification, NodeJS.Timeout>, held: HeldNotification, delayMs: number): void {
    const timer = setTimeout(() => {
      timers.delete(held);
      this.tryAgain(held);
    }, delayMs);
    timers.set(held, timer);
  }
}
