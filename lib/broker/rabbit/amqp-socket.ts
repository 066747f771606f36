import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

/** amqplib has it, but tells nobody in its types. */
export function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { stream: Socket }).stream;
}

/** What is this long tells of life though the frame is not whole. */
const partBytes = 16_384;

/**
 * Grows with each whole frame that has come in, and with each larger part of one. Behind a damaged length all that comes
 * is part of one frame: a few answers to our own questions are no life then.
 */
export function bytesOfFrames(model: ChannelModel): number {
  const { rest } = model.connection as unknown as { rest?: Buffer };
  return socketOf(model).bytesRead - ((rest?.length ?? 0) % partBytes);
}
