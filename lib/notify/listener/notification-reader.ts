import { createHash } from 'node:crypto';

import type { Delivery, MessageBroker } from '../../broker/broker.js';
import { MalformedMessage } from '../../errors/wire.errors.js';
import { weighMessage } from '../../wire/envelope.js';
import { decodeNotification } from '../../wire/notification.js';
import { LONGEST_ID } from '../../wire/recent-ids.js';
import type { RequestContext } from '../../wire/request-context.js';
import { HeldNotification } from './held-notification.js';
import type { ResolvedListenerOptions } from './notification-listener-options.js';

/** Makes notifications of deliveries. */
export class NotificationReader {
  constructor(
    private readonly limits: Readonly<{ maxMessageBytes: number; maxMessageValues: number }>,
    private readonly options: Pick<ResolvedListenerOptions, 'integers' | 'serializer'>,
    private readonly from?: MessageBroker['kind'],
  ) {}

  /**
   * Keeps nothing of the delivery's bytes.
   *
   * @throws MalformedMessage, UnsupportedEnvelope for poison
   */
  read(delivery: Delivery): HeldNotification {
    const { integers, serializer } = this.options;
    const { contentType } = delivery.properties;
    const { maxMessageBytes: maxBytes, maxMessageValues: maxValues } = this.limits;
    const limits = { maxBytes, maxValues, integers, contentType };
    const { message, weight } = weighMessage(delivery.body, limits);
    const received = decodeNotification(message, this.from);
    if (received.problem) throw received.problem;
    // As in Python an empty id is none.
    const ownId = received.uniqueId || received.messageId || undefined;
    if (serializer) {
      try {
        received.sentContext = received.context;
        received.context = serializer.deserializeContext(received.context) as RequestContext;
        received.payload = serializer.deserializeEntity(received.context, received.payload);
      } catch (error) {
        throw new MalformedMessage('the serializer refused it', { cause: error });
      }
    }
    const id = ownId === undefined ? digestOf(delivery.body) : boundedId(ownId);
    delivery.release(weight);
    return new HeldNotification(delivery, received, id, ownId !== undefined);
  }
}

/** It is remembered for long: what a sender puts in the place of an id is not to fill the memory. */
function boundedId(id: string): string {
  return id.length <= LONGEST_ID ? id : digestOf(id);
}

function digestOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
