import type { Delivery } from '../../broker/broker.js';
import type { IntegerReading } from '../../wire/json/json.js';
import { weighMessage } from '../../wire/envelope.js';
import { decodeRequest } from '../../wire/rpc/rpc-request.js';
import { IncomingRequest, type DeliveryFacts } from './incoming-request.js';
import type { HeldRequest } from './request-queue.js';
import type { ServiceDirectory } from './rpc-service.js';

/** Makes requests of deliveries. */
export class RequestReader {
  constructor(
    private readonly directory: ServiceDirectory,
    private readonly limits: { maxBytes: number; maxValues: number; integers: IntegerReading },
  ) {}

  /**
   * Keeps nothing of the delivery's bytes.
   *
   * @throws MalformedMessage, UnsupportedEnvelope for poison: nobody can be answered
   */
  read(delivery: Delivery): HeldRequest {
    const { contentType, expirationMs } = delivery.properties;
    const { message, weight } = weighMessage(delivery.body, { ...this.limits, contentType });
    delivery.release(weight);
    const received = decodeRequest(message);
    const { msgId, replyQueue, problem } = received;
    if (problem && (msgId === undefined || replyQueue === undefined)) throw problem;
    const { queue, exchange, routingKey, redelivered, receivedAt } = delivery;
    const facts: DeliveryFacts = { queue, exchange, routingKey, redelivered, receivedAt, expirationMs };
    const service = this.directory.serviceOf(facts);
    return {
      delivery,
      service,
      weight,
      problem,
      request: new IncomingRequest(received, service.originOf(facts), facts),
    };
  }
}
