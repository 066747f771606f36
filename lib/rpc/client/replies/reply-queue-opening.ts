import { AsyncLocalStorage } from 'node:async_hooks';
import { MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import type { ConnectionPhase } from '../../../events/messaging-event.js';

/** Told once: without an error that replies can be received, with one that they will not be. */
type Told = (error?: unknown) => void;

/**
 * Callers that wait for the reply queue to be consumed for the first time. They are kept here, and not as reactions of a promise:
 * a broker may be away for hours, and a call that has ended meanwhile must leave nothing behind.
 */
export class ReplyQueueOpening {
  private readonly waiting = new Set<Told>();

  constructor(private readonly events: EventChannel) {}

  /**
   * Returns what ends the wait. Python's reply connection knows neither retry nor timeout; here a finite `retry` ends it
   * after one more failed attempt to connect than that.
   */
  wait(retry: number, told: Told): () => void {
    const stopCounting = retry < 0 ? undefined : this.afterAttempts(retry + 1, (error) => tell(error));
    // Each goes on in the context of its own caller, whoever the queue was opened for.
    const goOn = AsyncLocalStorage.bind(told);
    const tell: Told = (error) => {
      stop();
      goOn(error);
    };
    const stop = (): void => {
      this.waiting.delete(tell);
      stopCounting?.();
    };
    this.waiting.add(tell);
    return stop;
  }

  ended(error?: unknown): void {
    for (const tell of this.waiting) tell(error);
  }

  private afterAttempts(attempts: number, failed: (error: Error) => void): () => void {
    let left = attempts;
    let publishing: ConnectionPhase | undefined;
    return this.events.watch((event) => {
      if (event.type !== 'connection-changed') return;
      // The connection for replies comes after the other one, or fails with it.
      if (event.connection === 'publish') publishing = event.to;
      else if (publishing === 'disconnected') return;
      if (event.to !== 'disconnected' || (left -= 1) > 0) return;
      const facts = { attempts, host: event.host, cause: event.error };
      failed(new MessageDeliveryFailure(`No connection for replies after ${attempts} attempt(s)`, facts));
    });
  }
}
