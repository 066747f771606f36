import amqp, { type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import fc from 'fast-check';

/** Header tables that a client of RabbitMQ can send, though no peer of ours does. */
const ODD_HEADERS: Record<string, unknown>[] = [
  { compression: 'application/x-gzip' },
  { compression: { '!': 'int64', value: 7 } },
  { compression: { nested: ['deep', { er: null }] } },
  { compression: Buffer.from([0, 1, 2]) },
  { 'x-death': [{ count: { '!': 'int64', value: 1 }, queue: 'x', time: { '!': 'timestamp', value: 1 } }] },
  { ['__proto__']: 'x', constructor: 'y', auth_token: 'z' },
  { a: { '!': 'decimal', value: { places: 2, digits: 5 } }, b: { '!': 'float', value: 1.5 }, c: 201, d: false },
  { ['k'.repeat(200)]: 'v'.repeat(10_000) },
];

const properties: fc.Arbitrary<Options.Publish> = fc.record(
  {
    contentType: fc.constantFrom(
      'application/json',
      'APPLICATION/JSON; charset=x',
      'text/plain',
      '',
      'x'.repeat(255),
      'a\r\nb',
    ),
    contentEncoding: fc.constantFrom('utf-8', 'utf-16', 'gzip', 'base64', ''),
    headers: fc.constantFrom(...ODD_HEADERS),
    // What is no number costs its sender the channel, and what expires is dropped by the broker.
    expiration: fc.constantFrom('3600000', '4294967295'),
    priority: fc.constantFrom(0, 1, 9, 255),
    deliveryMode: fc.constantFrom(1, 2),
    correlationId: fc.constantFrom('', 'x'.repeat(255)),
    replyTo: fc.constantFrom('amq.rabbitmq', '', 'x'),
    messageId: fc.string({ maxLength: 20 }),
    timestamp: fc.constantFrom(0, 1, 2 ** 40),
    type: fc.constantFrom('', 'x'),
    appId: fc.constantFrom('', 'x'),
  },
  { requiredKeys: [] },
);

/** Mostly of the right content type, so that bodies are looked into. */
const anyProperties = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ contentType: 'application/json', contentEncoding: 'utf-8' }) },
  { weight: 1, arbitrary: properties },
  { weight: 1, arbitrary: properties.map((odd) => ({ ...odd, contentType: 'application/json' })) },
);

/** Sends mutants past our own publisher, over a plain channel. */
export class MutantPublisher {
  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
  ) {}

  static async connect(url: string): Promise<MutantPublisher> {
    const connection = await amqp.connect(url);
    return new MutantPublisher(connection, await connection.createConfirmChannel());
  }

  /** As many, drawn from `bodies` with this seed; resolves when the broker has them all. */
  async send(
    count: number,
    bodies: fc.Arbitrary<Buffer>,
    seed: number,
    exchange: string,
    routingKey: string,
  ): Promise<void> {
    for (const [body, options] of fc.sample(fc.tuple(bodies, anyProperties), { numRuns: count, seed })) {
      this.channel.publish(exchange, routingKey, body, options);
    }
    await this.channel.waitForConfirms();
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
