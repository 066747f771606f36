import amqp, { type Channel, type ChannelModel } from 'amqplib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { oslo } from '../../support/command-line.js';
import { eventually } from '../../support/eventually.js';
import { useVhost } from '../../support/rabbit.js';
import { specFolder } from '../../support/spec-folder.js';

const vhost = useVhost();
const folder = specFolder();
const queue = 'notifications.info';
let connection: ChannelModel;
let channel: Channel;

const run = (commandLine: string, options: Parameters<typeof oslo>[1] = {}) =>
  oslo(commandLine, { ...options, env: { OSLO_TRANSPORT_URL: vhost.url, ...options.env } });

/** As Python's `messaging` sends it, into whatever is bound. */
function publish(eventType: string, payload: unknown, more: object = {}): void {
  const message = {
    message_id: `m-${eventType}`,
    publisher_id: 'compute.h1',
    event_type: eventType,
    priority: 'INFO',
    payload,
    timestamp: '2024-02-29 12:34:56.789000',
    _unique_id: `u-${eventType}`,
    _context_request_id: 'req-1',
    ...more,
  };
  channel.publish('openstack', queue, Buffer.from(JSON.stringify(message)), { contentType: 'application/json' });
}

/** Runs `listen`; `then` when it has begun. */
async function listening(commandLine: string, then: () => unknown, options: Parameters<typeof oslo>[1] = {}) {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const result = run(commandLine, {
    ...options,
    onErr: (text) => {
      options.onErr?.(text);
      if (text.startsWith('listen: ')) begin();
    },
  });
  await Promise.race([begun, result]);
  await then();
  return result;
}

beforeAll(async () => {
  connection = await amqp.connect(vhost.amqpUrl);
});
afterAll(() => connection.close());
beforeEach(async () => {
  channel = await connection.createChannel();
  await channel.assertExchange('openstack', 'topic', { durable: false });
  await channel.assertQueue(queue, { durable: false });
  await channel.bindQueue(queue, 'openstack', queue);
});
afterEach(async () => {
  await channel.close();
  for (const { name } of await vhost.listQueues()) await vhost.deleteQueue(name);
});

describe('notify', () => {
  async function arrived() {
    const message = await eventually(async () => channel.get(queue, { noAck: true }), 'a notification');
    const body = JSON.parse(message.content.toString()) as Record<string, unknown>;
    const sealed = body['oslo.message'];
    return { body, message: typeof sealed === 'string' ? (JSON.parse(sealed) as Record<string, unknown>) : body };
  }

  it('sends what services send', async () => {
    const { code, out, err } = await run(
      'notify compute.instance.create.end id=0012 disk:=10 --publisher-id compute.h9 --request-id req-9 --context-json \'{"project_id": "p1", "auth_token": "sesame"}\'',
    );
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toContain('req-9  openstack/notifications.info  compute.instance.create.end  sent in');
    expect(err).toContain("nobody consumes 'notifications.info'");
    const { body, message } = await arrived();
    expect(body['oslo.version']).toBe('2.0');
    expect(message).toMatchObject({
      event_type: 'compute.instance.create.end',
      publisher_id: 'compute.h9',
      priority: 'INFO',
      payload: { id: '0012', disk: 10 },
      _context_request_id: 'req-9',
      _context_project_id: 'p1',
      _context_auth_token: null,
    });
  });

  it('takes any JSON as payload, bare where that is wanted, and tells of it as JSON', async () => {
    const file = join(folder, 'payload');
    writeFileSync(file, '[12345678901234567890, null]');
    const { code, documents } = await run(`notify x.y --payload @${file} --format 1 --json`);
    expect(code).toBe(0);
    expect(documents).toEqual([
      {
        v: 1,
        command: 'notify',
        requestId: expect.stringMatching(/^req-/),
        exchange: 'openstack',
        topics: ['notifications'],
        priority: 'info',
        eventType: 'x.y',
        publisherId: expect.stringMatching(/^oslo-bus\./),
        outcome: 'ok',
        elapsedMs: expect.any(Number),
        unheard: [queue],
      },
    ]);
    const { body } = await arrived();
    expect(body).not.toHaveProperty('oslo.version');
    expect(JSON.stringify(body.payload)).toBe('[12345678901234567000,null]');
  });

  it('leaves nothing where there is no such queue or exchange, unless told to', async () => {
    const names = async () => [...(await vhost.listQueues()), ...(await vhost.listExchanges())].map(({ name }) => name);
    const before = await names();
    expect(await run('notify x --topic typo')).toMatchObject({ code: 68, err: expect.stringContaining('--declare') });
    expect(await run('notify x --exchange typo')).toMatchObject({ code: 68 });
    expect(await names()).toEqual(before);
    expect(await run('notify x --priority error --topic wanted --declare')).toMatchObject({ code: 0 });
    expect((await vhost.queue('wanted.error'))?.messagesReady).toBe(1);
  });

  it('goes to the bus and topics that a configuration file names for notifications', async () => {
    const file = join(folder, 'x.conf');
    const elsewhere = 'rabbit://guest:guest@127.0.0.1:1/';
    writeFileSync(
      file,
      `[DEFAULT]\ntransport_url = ${elsewhere}\n[oslo_messaging_notifications]\ntransport_url = ${vhost.url}\ntopics = notifications\n`,
    );
    expect(await run(`notify x --config-file ${file}`)).toMatchObject({ code: 0 });
    expect(await run(`call x y --config-file ${file}`)).toMatchObject({ code: 69 });
  });

  it.each([
    ['notify', 64],
    ['notify x --priority loud', 64],
    ['notify x --payload nonsense', 64],
    ['notify x a=b --payload 12', 64],
    ['notify x --read-only', 77],
  ])('%s ends with %i, and sends nothing', async (commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code });
    expect((await channel.checkQueue(queue)).messageCount).toBe(0);
  });
});

describe('listen', () => {
  it('shows what comes, and takes nothing from anybody', async () => {
    const { code, documents, err } = await listening('listen --count 2 --json', () => {
      publish('compute.end', { id: 'i1', admin_password: 'hunter2' });
      publish('compute.error', { id: 'i2' });
    });
    expect(code).toBe(0);
    expect(documents).toEqual([
      {
        v: 1,
        command: 'listen',
        event: 'notification',
        at: expect.any(String),
        queue: expect.stringMatching(/^oslo-bus\.listen\./),
        routingKey: queue,
        redelivered: false,
        priority: 'info',
        eventType: 'compute.end',
        publisherId: 'compute.h1',
        messageId: 'm-compute.end',
        timestamp: '2024-02-29 12:34:56.789000',
        context: { request_id: 'req-1' },
        payload: { id: 'i1', admin_password: '***' },
      },
      expect.objectContaining({ eventType: 'compute.error' }),
      {
        v: 1,
        command: 'listen',
        event: 'end',
        queues: [expect.any(String)],
        received: 2,
        shown: 2,
        unreadable: 0,
        droppedAtLeast: 0,
      },
    ]);
    expect(err).toContain('nobody loses anything');
    expect((await vhost.queue(queue))?.messagesReady).toBe(2);
    expect((await vhost.listQueues()).map(({ name }) => name)).toEqual([queue]);
  });

  it('its queue never holds up who publishes, and goes by itself', async () => {
    const interruption = new AbortController();
    const result = await listening(
      'listen',
      async () => {
        const own = (await vhost.listQueues()).find(({ name }) => name.startsWith('oslo-bus.'));
        expect(own?.arguments).toMatchObject({
          'x-overflow': 'drop-head',
          'x-expires': 60_000,
          'x-max-length': expect.any(Number),
        });
        interruption.abort();
      },
      { signal: interruption.signal },
    );
    expect(result.code).toBe(0);
  });

  it('filters by type, publisher, priority and place, and shows the fields that are asked for', async () => {
    const { out } = await listening(
      "listen --event-type 'compute.*' --publisher '*.h1' --where payload.state=active --where context.request_id~req-* --fields id,flavor.name --count 1",
      () => {
        publish('volume.end', { state: 'active' });
        publish('compute.one', { state: 'error' });
        publish('compute.two', { state: 'active' }, { publisher_id: 'compute.h2' });
        publish('compute.three', { state: 'active', id: 'i3', flavor: { name: 'm1' } });
      },
    );
    expect(out).toMatch(/^12:34:56\.789 {2}INFO +compute\.three +compute\.h1 +req-1 +id=i3 flavor\.name=m1\n$/);
  });

  it('unwraps versioned payloads, raw it does not', async () => {
    const payload = {
      'nova_object.name': 'InstancePayload',
      'nova_object.namespace': 'nova',
      'nova_object.version': '1.0',
      'nova_object.data': { uuid: 'i1' },
    };
    const shown = async (more: string) =>
      (await listening(`listen --count 1 --json ${more}`, () => publish('x', payload))).documents[0];
    expect(await shown('')).toMatchObject({ object: { name: 'InstancePayload' }, payload: { uuid: 'i1' } });
    expect(await shown('--raw')).toMatchObject({ payload });
  });

  it('what a message holds cannot move the cursor, and one that cannot be read is told', async () => {
    const { out, err, code } = await listening('listen --count 1', () => {
      channel.publish('openstack', queue, Buffer.from('nonsense \u001b[31m'));
      publish('compute.\u001b[31mred', { text: 'a\nb\u009b2J' });
    });
    expect(code).toBe(0);
    expect(out.trimEnd() + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(out.split('\n')).toHaveLength(2);
    expect(err).toContain('could not be read');
  });

  it('a pool stays, and gathers what comes meanwhile', async () => {
    await listening('listen --pool audit --count 1', () => publish('one', {}));
    publish('two', {});
    await eventually(async () => (await vhost.queue('audit'))?.messagesReady === 1);
    const { documents, err } = await run('listen --pool audit --count 1 --json');
    expect(documents[0]).toMatchObject({ eventType: 'two', queue: 'audit' });
    expect(err).toContain('it stays');
  });

  it('--take takes as many as are counted, and leaves the rest in their order', async () => {
    for (const name of ['one', 'two', 'three']) publish(name, {});
    await eventually(async () => (await channel.checkQueue(queue)).messageCount === 3);
    const { code, documents } = await run('listen --take --yes --count 1 --json');
    expect({ code, first: documents[0]!.eventType }).toEqual({ code: 0, first: 'one' });
    const left = await run('listen --take --count 2 --json', { answer: 'yes' });
    expect(left.documents.map(({ eventType }) => eventType)).toEqual(['two', 'three', undefined]);
    expect((await channel.checkQueue(queue)).messageCount).toBe(0);
  });

  it('--take asks first, and makes no queue', async () => {
    publish('one', {});
    expect(await run('listen --take', { answer: 'n' })).toMatchObject({ code: 130 });
    expect(await run('listen --take')).toMatchObject({ code: 64, err: expect.stringContaining('--yes') });
    expect(await run('listen --take --yes --topic typo')).toMatchObject({ code: 68 });
    expect((await vhost.listQueues()).map(({ name }) => name)).toEqual([queue]);
    expect((await channel.checkQueue(queue)).messageCount).toBe(1);
  });

  it('--translate shows what a command makes of the payload, in their order', async () => {
    const seenBy = join(folder, 'seen');
    const { out } = await listening(`listen --count 2 --translate 'tee -a ${seenBy}; echo !'`, () => {
      publish('one', { n: 1, password: 'hunter2' });
      publish('two', { n: 2 });
    });
    expect(out).toBe('{"n":1,"password":"***"}!\n{"n":2}!\n');
    expect(readFileSync(seenBy, 'utf8')).not.toContain('hunter2');
  });

  it('a command that fails is told, and the notification shown as it is', async () => {
    const { code, out, err } = await listening("listen --count 1 --translate 'echo oops >&2; exit 3'", () =>
      publish('one', { n: 1 }),
    );
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('n=1') });
    expect(err).toContain('--translate has ended with 3: oops');
  });

  it.each([
    ['listen --priority loud', 64],
    ['listen --where state=active', 64],
    ['listen --fields a..b', 64],
    ['listen --pool a --take', 64],
    ['listen --pool notifications.info', 64],
    ['listen --exchange none', 68],
    ['listen --pool a --read-only', 77],
    ['listen --take --yes --read-only', 77],
    ['listen --read-only --for 100ms', 0],
  ])('%s ends with %i', async (commandLine, code) => {
    expect(await run(commandLine)).toMatchObject({ code });
    expect((await vhost.listQueues()).map(({ name }) => name)).toEqual([queue]);
  });
});
