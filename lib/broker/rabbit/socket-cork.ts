import type { Writable } from 'node:stream';

/**
 * Makes one write of all that is written within one callback of the event loop.
 *
 * amqplib writes frame by frame: a system call and often a packet each, which is more than half of
 * what a small message costs at both ends.
 */
export function gatherWrites(socket: Writable): void {
  const write: Writable['write'] = socket.write.bind(socket);
  let corked = false;
  const uncork = (): void => {
    corked = false;
    socket.uncork();
  };
  socket.write = ((...args: Parameters<typeof write>): boolean => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  }) as typeof socket.write;
}
