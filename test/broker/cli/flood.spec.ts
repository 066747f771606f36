import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandResult, oslo } from '../../support/command-line.js';
import { eventually } from '../../support/eventually.js';
import { flood } from '../../support/flood.js';
import { useVhost } from '../../support/rabbit.js';

const vhost = useVhost();
const REQUESTS = 30_000;
const NOTIFICATIONS = 6_000;
const folder = mkdtempSync(join(tmpdir(), 'oslo-bus-flood-'));
const file = join(folder, 'traffic.ndjson');
const results: Record<string, CommandResult> = {};

/** Runs commands beside each other, from before the first message to after the last one. */
async function besideFlood(commandLines: readonly string[], send: () => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  let tables = 0;
  const running = commandLines.map((commandLine) => {
    let begun: () => void = () => undefined;
    const begins = new Promise<void>((resolve) => (begun = resolve));
    const name = commandLine.split(' ')[0]!;
    const ended = oslo(`${commandLine} --json`, {
      env: { OSLO_TRANSPORT_URL: vhost.url },
      signal: interruption.signal,
      onOut: () => void (name === 'top' && (tables += 1)),
      onErr: (text) => void (/^(tap: binding|listen: a queue)/.test(text) && begun()),
    });
    return { begins, ended: ended.then((result) => (results[name] = result)) };
  });
  await Promise.all(running.map(({ begins }) => begins));
  await send();
  // What we have taken is acknowledged: nothing waits any more.
  await eventually(
    async () => {
      const own = (await vhost.listQueues()).filter(({ name }) => name.startsWith('oslo-bus.'));
      return own.every(({ messagesReady, messagesUnacknowledged }) => messagesReady + messagesUnacknowledged === 0);
    },
    'all being taken',
    120_000,
  );
  // The next one may have been begun before.
  const before = tables;
  await eventually(() => tables >= before + 2, 'a table of all', 60_000);
  interruption.abort();
  await Promise.all(running.map(({ ended }) => ended));
}

const last = (name: string) => results[name]!.documents.at(-1) as Record<string, number>;

beforeAll(async () => {
  const connection = await amqp.connect(vhost.amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertExchange('openstack', 'topic', { durable: false });
  for (const queue of ['conductor', 'notifications.info']) {
    // Of a service that takes nothing: its queue must not fill the broker.
    await channel.assertQueue(queue, { durable: false, arguments: { 'x-max-length': 10 } });
    await channel.bindQueue(queue, 'openstack', queue);
  }
  await connection.close();
  const watch = '--source binding --topic conductor';
  await besideFlood(
    [
      `tap ${watch} --max-rate 500`,
      `record ${file} ${watch} --max-rate 100000`,
      `top ${watch} --max-rate 100000 --interval 500ms`,
      `trace req-flood ${watch} --max-rate 100000 --until-idle 1h`,
      'listen --priority info',
    ],
    async () => {
      const common = { amqpUrl: vhost.amqpUrl, exchange: 'openstack', processes: 3 };
      const request = { method: 'ping', args: { data: 'x'.repeat(200) }, version: '1.0' };
      const notification = { event_type: 'a.b', publisher_id: 'p', priority: 'INFO', payload: {}, message_id: 'm' };
      await Promise.all([
        flood({
          ...common,
          routingKey: 'conductor',
          message: { ...request, _context_request_id: 'req-flood' },
          count: REQUESTS,
        }),
        flood({ ...common, routingKey: 'notifications.info', message: notification, count: NOTIFICATIONS }),
      ]);
    },
  );
}, 240_000);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

it('all end in order', () => {
  expect(Object.entries(results).map(([name, { code }]) => [name, code])).toEqual(
    expect.arrayContaining(['tap', 'record', 'top', 'trace', 'listen'].map((name) => [name, 0])),
  );
});

it('tap reads no more than it may, and knows of all others', () => {
  const { received, shown, skipped, droppedAtLeast } = last('tap');
  expect(shown! + skipped!).toBe(received);
  expect(skipped).toBeGreaterThan(0);
  // Either all have come, or it says that some have not.
  expect(received === REQUESTS || droppedAtLeast! > 0).toBe(true);
  expect(results.tap!.documents).toHaveLength(shown! + 1);
});

it('record writes whole lines, as many as it says', () => {
  const { received, written, skipped, unwritten, droppedAtLeast } = last('record');
  expect(written! + skipped! + unwritten!).toBe(received);
  expect(received === REQUESTS || droppedAtLeast! > 0).toBe(true);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(written! + 1);
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ ev: 'publish', key: 'conductor' });
});

it('top counts all of them, and says what it has not seen', () => {
  const tables = results.top!.documents as { rows: { messages: number }[]; received: number; skipped: number }[];
  const counted = tables.flatMap(({ rows }) => rows).reduce((sum, { messages }) => sum + messages, 0);
  const { received, skipped, droppedAtLeast } = last('top');
  expect(counted + skipped!).toBe(received);
  expect(received === REQUESTS || droppedAtLeast! > 0).toBe(true);
});

it('trace draws a thousand of a request, and counts the rest', () => {
  const { spans, omitted } = results.trace!.documents.at(-1) as { spans: unknown[]; omitted: number };
  expect(spans).toHaveLength(1_000);
  const isToldOf = /skipped|dropped/.test(results.trace!.err);
  expect(spans.length + omitted === REQUESTS || isToldOf).toBe(true);
});

it('listen shows each of those that have come, and says that others have not', () => {
  const { received, shown, droppedAtLeast } = last('listen');
  expect(shown).toBe(received);
  expect(received === NOTIFICATIONS || droppedAtLeast! > 0).toBe(true);
  expect(results.listen!.documents).toHaveLength(shown! + 1);
});
