import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** One AMQP method with its content, as it went over the wire; names and fields as amqplib spells them. */
export interface AmqpMethod {
  from: 'broker' | 'client';
  /** Counts the connections through one proxy, from 0. */
  connection: number;
  channel: number;
  /** `ExchangeDeclare`, `BasicPublish`, … */
  method: string;
  fields: Record<string, unknown>;
  /** Of the content header: those that were present. */
  properties?: Record<string, unknown>;
  body?: Buffer;
  /** The frames, byte by byte. */
  frames: Buffer[];
}

interface Definitions {
  decode(id: number, payload: Buffer): Record<string, unknown>;
  info(id: number): { name: string };
}

const require = createRequire(import.meta.url);
const definitions = require(join(dirname(require.resolve('amqplib')), 'lib/defs.js')) as Definitions;

const [METHOD, HEADER, BODY] = [1, 2, 3];
const FRAME_OVERHEAD = 8;
const BASIC_PROPERTIES = 60;
const WITH_CONTENT = new Set(['BasicDeliver', 'BasicGetOk', 'BasicPublish', 'BasicReturn']);

/** What a reader found: a complete method, or bytes that are none (protocol header, heartbeat). */
export type AmqpUnit = { bytes: Buffer[]; method?: AmqpMethod };

/** Cuts one direction of one connection into methods with their content. */
export class AmqpReader {
  private rest: Buffer = Buffer.alloc(0);
  private readonly unfinished = new Map<number, { method: AmqpMethod; missing: number }>();

  constructor(
    private readonly from: AmqpMethod['from'],
    private readonly connection: number,
  ) {}

  read(chunk: Buffer): AmqpUnit[] {
    this.rest = Buffer.concat([this.rest, chunk]);
    const units: AmqpUnit[] = [];
    for (let frame = this.nextFrame(); frame; frame = this.nextFrame()) {
      const unit = this.unit(frame);
      if (unit) units.push(unit);
    }
    return units;
  }

  private nextFrame(): Buffer | undefined {
    if (this.rest.length < FRAME_OVERHEAD) return undefined;
    const isProtocolHeader = this.rest.toString('latin1', 0, 4) === 'AMQP';
    const length = isProtocolHeader ? FRAME_OVERHEAD : this.rest.readUInt32BE(3) + FRAME_OVERHEAD;
    if (this.rest.length < length) return undefined;
    const frame = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    return frame;
  }

  private unit(frame: Buffer): AmqpUnit | undefined {
    const [type, channel, payload] = [frame[0], frame.readUInt16BE(1), frame.subarray(7, -1)];
    if (type === METHOD) return this.method(frame, channel, payload);
    const content = this.unfinished.get(channel);
    if (!content || (type !== HEADER && type !== BODY)) return { bytes: [frame] };
    const { method } = content;
    method.frames.push(frame);
    if (type === HEADER) {
      content.missing = Number(payload.readBigUInt64BE(4));
      method.properties = present(definitions.decode(BASIC_PROPERTIES, payload.subarray(12)));
      method.body = Buffer.alloc(0);
    } else {
      content.missing -= payload.length;
      method.body = Buffer.concat([method.body ?? Buffer.alloc(0), payload]);
    }
    if (content.missing > 0) return undefined;
    this.unfinished.delete(channel);
    return { bytes: method.frames, method };
  }

  private method(frame: Buffer, channel: number, payload: Buffer): AmqpUnit | undefined {
    const id = payload.readUInt32BE(0);
    const { from, connection } = this;
    const { name } = definitions.info(id);
    const fields = definitions.decode(id, payload.subarray(4));
    const method: AmqpMethod = { from, connection, channel, method: name, fields, frames: [frame] };
    if (!WITH_CONTENT.has(name)) return { bytes: method.frames, method };
    this.unfinished.set(channel, { method, missing: 0 });
    return undefined;
  }
}

function present(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
