import type { ConsumeMessage } from 'amqplib';

/** amqplib throws once it is closing, and tells of that later: the broker has no verdict then, and delivers again. */
export function written(frame: () => void): void {
  try {
    frame();
  } catch {
    // Nothing to be done.
  }
}

/** amqplib wants a whole message, and reads its tag. */
export function tagged(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
}
