import { createHash } from 'node:crypto';

import type { Delivery } from '../broker/broker.js';
import { MalformedMessage } from '../errors/wire.errors.js';
import { openEnvelope } from '../wire/envelope.js';
import { decodeNotification } from '../wire/notification.js';
import type { RequestContext } from '../wire/request-context.js';
import type { HeldNotification } from './held-notification.js';
import type { ResolvedListenerOptions } from './notification-listener-options.js';

/** Makes notifications of deliveries. */
export class NotificationReader {
  constructor(
    private readonly maxBytes: number,
    private readonly options: Pick<ResolvedListenerOptions, 'integers' | 'serializer'>,
  ) {}

  /**
   * Keeps nothing of the delivery's bytes.
   *
   * @throws MalformedMessage, UnsupportedEnvelope for poison
   */
  read(delivery: Delivery): HeldNotification {
    const { integers, serializer } = this.options;
    const { contentType } = delivery.properties;
    const received = decodeNotification(
      openEnvelope(delivery.body, { maxBytes: this.maxBytes, integers, contentType }),
    );
    if (received.problem) throw received.problem;
    const ownId = received.uniqueId ?? received.messageId;
    if (serializer) {
      try {
        received.context = serializer.deserializeContext(received.context) as RequestContext;
        received.payload = serializer.deserializeEntity(received.context, received.payload);
      } catch (error) {
        throw new MalformedMessage('the serializer refused it', { cause: error });
      }
    }
    return {
      delivery,
      received,
      id: ownId ?? createHash('sha256').update(delivery.body).digest('hex'),
      hasOwnId: ownId !== undefined,
      attempts: 0,
      todo: [],
      finished: new Set(),
      failures: [],
      turnsTaken: 0,
      running: 0,
      started: false,
      gone: false,
    };
  }
}
