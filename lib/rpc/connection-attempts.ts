import { MessageDeliveryFailure } from '../errors/delivery.errors.js';
import type { EventChannel } from '../events/event-channel.js';

/**
 * As `opened`, but for so many failed attempts to connect at most. Python's reply connection knows neither
 * retry nor timeout; here a finite retry ends the wait for it.
 */
export function orAfterAttempts(opened: Promise<void>, events: EventChannel, attempts: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = attempts;
    const stop = events.watch((event) => {
      if (event.type !== 'connection-changed' || event.connection !== 'consume') return;
      if (event.to !== 'disconnected' || (left -= 1) > 0) return;
      stop();
      const facts = { attempts, host: event.host, cause: event.error };
      reject(new MessageDeliveryFailure(`No connection for replies after ${attempts} attempt(s)`, facts));
    });
    opened.then(resolve, reject).finally(stop);
  });
}
