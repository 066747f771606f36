import type { ConsumeChannel } from './consume-channel.js';

/**
 * Calls `written` when what was given to the channel has left this process; with false when the channel had ended before.
 *
 * amqplib hands frames to the socket in the next turn of the event loop: what is called in the turn after comes behind them.
 * After a hold-up the end of a connection may stand behind its deliveries, to be read one turn later.
 */
export function whenWritten(channel: ConsumeChannel | undefined, written: (left: boolean) => void): void {
  const tell = (): void => written(channel?.isLost === false);
  process.nextTick(() => setImmediate(channel?.line.heldUp ? () => setImmediate(tell) : tell));
}
