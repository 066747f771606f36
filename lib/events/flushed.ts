import type { EventChannel } from './event-channel.js';
import { within } from './within.js';

/** Longest time that a close waits for what was accepted before it. */
const longestFlushMs = 5_000;

/** A way to a bus, and how it is. */
export interface Connectedness {
  readonly state: string;
  readonly events: EventChannel;
}

/** Waits for what goes out, for a bounded time, and only while the bus is connected and takes messages. */
export async function flushed(sent: Promise<unknown>, bus: Connectedness): Promise<void> {
  if (bus.state !== 'connected') return;
  let unwatch: (() => void) | undefined;
  const interrupted = new Promise<void>((resolve) => {
    unwatch = bus.events.watch(() => {
      if (bus.state !== 'connected') resolve();
    });
  });
  await within(longestFlushMs, Promise.race([sent, interrupted]));
  unwatch?.();
}
