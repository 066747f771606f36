import { spawn } from 'node:child_process';

/** What is published as fast as a bus takes it. */
export interface Flood {
  readonly amqpUrl: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** Sent again and again, each with an id of its own. */
  readonly message: Record<string, unknown>;
  readonly count: number;
  readonly processes: number;
}

/** Each process publishes its part, and ends when the broker has confirmed it. */
const PUBLISHER = `
const amqp = require('amqplib');
const { amqpUrl, exchange, routingKey, message, count } = JSON.parse(process.argv[1]);
amqp.connect(amqpUrl).then(async (connection) => {
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < count; n++) {
    const text = JSON.stringify({ ...message, _unique_id: process.pid + '-' + n });
    const body = Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': text }));
    const goesOn = channel.publish(exchange, routingKey, body, { contentType: 'application/json' });
    if (!goesOn) await new Promise((resolve) => channel.once('drain', resolve));
  }
  await channel.waitForConfirms();
  await connection.close();
});
`;

/** Resolves when all of it is with the broker. */
export async function flood({ count, processes, ...what }: Flood): Promise<void> {
  const argument = JSON.stringify({ ...what, count: count / processes });
  const ends = Array.from({ length: processes }, () => {
    const child = spawn(process.execPath, ['-e', PUBLISHER, argument], { stdio: ['ignore', 'inherit', 'inherit'] });
    return new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`a publisher has ended with ${code}`))));
    });
  });
  await Promise.all(ends);
}
