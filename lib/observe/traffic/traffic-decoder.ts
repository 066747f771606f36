import type { Delivery, DeliveryProperties } from '../../broker/broker.js';
import { type BodyLimits, readBody } from '../../broker/bounds/body-reader.js';
import { textOf } from '../../errors/text-of.js';
import { openEnvelope } from '../../wire/envelope.js';
import { isRecord } from '../../wire/json/is-record.js';
import { maskedValue } from '../../wire/masked-value.js';
import { shown } from '../../wire/shown.js';
import type { TrafficRecord } from './traffic-record.js';

/** Bounds of what is read. */
export type DecoderLimits = BodyLimits & { readonly maxMessageValues: number };

/** RabbitMQ publishes what it traces to this exchange. */
export const TRACE_EXCHANGE = 'amq.rabbitmq.trace';
/** A text of a peer in a record: names on the wire are shorter. */
const LONGEST_TEXT = 512;
/** As many queues of one message are kept. */
const MOST_ROUTED = 1_000;

/** Reads what a tap was handed. Never throws: what cannot be read is a record with a `problem`. */
export class TrafficDecoder {
  /** `secrets`: 'kept' only where a user has asked for that. */
  constructor(
    private readonly limits: DecoderLimits,
    private readonly secrets: 'kept' | 'masked' = 'masked',
    private readonly now: () => number = Date.now,
  ) {}

  decode(delivery: Pick<Delivery, 'body' | 'exchange' | 'properties' | 'routingKey'>): TrafficRecord {
    return delivery.exchange === TRACE_EXCHANGE ? this.traced(delivery) : this.bound(delivery);
  }

  private bound({ exchange, routingKey, properties, body }: Parameters<this['decode']>[0]): TrafficRecord {
    const { expirationMs } = properties;
    return {
      t: this.now(),
      ev: 'publish',
      exchange,
      key: routingKey,
      ...(expirationMs !== undefined && { expirationMs }),
      size: body.byteLength,
      // The channel has decompressed it already.
      ...this.contentOf(body, { contentType: properties.contentType, headers: {} }),
    };
  }

  private traced({ routingKey, properties: { headers }, body }: Parameters<this['decode']>[0]): TrafficRecord {
    const [ev, name] = eventOf(routingKey);
    const original = originalOf(headers.properties);
    const { expirationMs } = original;
    return {
      t: this.now(),
      ev,
      exchange: textIn(headers.exchange_name) ?? '',
      key: textsIn(headers.routing_keys)[0] ?? '',
      ...(ev === 'deliver' ? { queue: name, redelivered: Boolean(headers.redelivered) } : routedOf(headers)),
      ...named('conn', textIn(headers.connection)),
      ...named('node', textIn(headers.node)),
      ...named('user', textIn(headers.user)),
      ...(expirationMs !== undefined && { expirationMs }),
      size: body.byteLength,
      ...this.contentOf(body, original),
    };
  }

  private contentOf(
    body: Uint8Array,
    { contentType, headers }: Pick<DeliveryProperties, 'contentType' | 'headers'>,
  ): Pick<TrafficRecord, 'message' | 'problem'> {
    const { maxMessageBytes: maxBytes, maxMessageValues: maxValues } = this.limits;
    try {
      const plain = readBody(asBuffer(body), headers, this.limits);
      const message = openEnvelope(plain, { maxBytes, maxValues, integers: 'exact', contentType });
      return { message: this.secrets === 'kept' ? message : (maskedValue(message) as Record<string, unknown>) };
    } catch (error) {
      return { problem: shown(textOf(error), LONGEST_TEXT) };
    }
  }
}

/** `publish.<exchange>` or `deliver.<queue>`. */
function eventOf(routingKey: string): ['deliver' | 'publish', string] {
  const dot = routingKey.indexOf('.');
  const name = dot === -1 ? '' : routingKey.slice(dot + 1);
  return [routingKey.startsWith('deliver.') ? 'deliver' : 'publish', name];
}

/** The AMQP properties of the message that was traced. */
function originalOf(properties: unknown): DeliveryProperties {
  if (!isRecord(properties)) return { headers: {} };
  const { headers, content_type: contentType, expiration } = properties;
  const expirationMs = typeof expiration === 'string' && /^\d{1,15}$/.test(expiration) ? Number(expiration) : undefined;
  return { contentType: textIn(contentType), expirationMs, headers: isRecord(headers) ? headers : {} };
}

function routedOf(headers: Readonly<Record<string, unknown>>): Pick<TrafficRecord, 'routed'> {
  return Array.isArray(headers.routed_queues) ? { routed: textsIn(headers.routed_queues) } : {};
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.slice(0, MOST_ROUTED).flatMap((item) => textIn(item) ?? []) : [];
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : undefined;
}

function named<Key extends string>(key: Key, value: string | undefined): { [K in Key]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]: string });
}

function asBuffer(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
