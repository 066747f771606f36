import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

/** amqplib has it, but tells nobody in its types. */
export function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { stream: Socket }).stream;
}
