import { MemoryBus } from './memory-bus.js';

const buses = new Map<string, MemoryBus>();

/**
 * The bus of that name in this process, for `memory://` and `memory://name`.
 *
 * It lives as long as the process, and keeps its queues when nobody is connected, as a broker would.
 */
export function namedBus(name: string): MemoryBus {
  let bus = buses.get(name);
  if (!bus) buses.set(name, (bus = new MemoryBus()));
  return bus;
}

/** The next client of that name meets an empty bus. */
export function forgetBus(name: string): void {
  buses.delete(name);
}
