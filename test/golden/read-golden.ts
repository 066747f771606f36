import { readdirSync, readFileSync } from 'node:fs';

/** One message as the sniffing proxy saw it; see the files' own `captured_as`. */
export interface Capture {
  _comment: string;
  basic_publish: { exchange: string; routing_key: string; mandatory: boolean };
  properties: Record<string, unknown>;
  body_raw: string;
  body_json: Record<string, unknown>;
  oslo_message_decoded: Record<string, unknown>;
  failure_decoded?: Record<string, unknown>;
}

/** One method of a connection's set-up. */
export interface CapturedFrame {
  conn?: number;
  method: string;
  fields: Record<string, unknown>;
}

const FOLDER = new URL('./', import.meta.url);

export function readGolden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}

/** All captures whose name begins so, of every version. */
export function capturesOf(prefix: string): [name: string, capture: Capture][] {
  const names = readdirSync(FOLDER).filter((name) => name.startsWith(prefix) && name.endsWith('.json'));
  return names.toSorted().map((name) => [name, readGolden(name) as Capture]);
}

/** The frames that declare something, as our own declarations. */
export function declarationsIn(frames: readonly CapturedFrame[]): unknown[] {
  return frames.flatMap(({ method, fields }): unknown[] => {
    const { durable, autoDelete } = fields;
    switch (method) {
      case 'ExchangeDeclare':
        return [{ kind: 'exchange', name: fields.exchange, type: fields.type, durable, autoDelete }];
      case 'QueueDeclare':
        return [{ kind: 'queue', name: fields.queue, durable, autoDelete, arguments: fields.arguments }];
      case 'QueueBind':
        return [
          { kind: 'binding', queue: fields.queue, exchange: fields.exchange, routingKey: fields.routingKey },
        ];
      default:
        return [];
    }
  });
}
