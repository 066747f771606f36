import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oslo } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { sharedRabbit, useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

interface Traced {
  key: string;
  routing_key: string;
  message: Record<string, unknown> | null;
}

interface SeenInTap {
  id: string;
  kind: string;
  state: string;
  taken: { queue: string };
  failure?: object;
}

/** The broker's own trace, written down by Python. */
function recordTrace(version: string, url: string) {
  const python = resolve('.cache/venv', version, 'bin/python');
  const child = spawn(python, [
    '-W',
    'ignore',
    '-u',
    resolve('test/interop/python/trace_recorder.py'),
    url,
    'publish.#',
    'deliver.#',
  ]);
  const lines: unknown[] = [];
  let log = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  child.stderr.on('data', (text) => (log += String(text)));
  const ready = eventually(() => lines.length > 0, `the recorder: ${log}`, 20_000);
  return { ready, traced: () => lines.slice(1) as Traced[], end: () => child.kill('SIGKILL') };
}

describe.each(pythonVersions)('a tap beside the trace that oslo.messaging %s has caused', (version) => {
  // The Python client leaves its own, until it expires.
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const server = usePythonPeer({ version, url: () => vhost.url });
  const client = usePythonPeer({ version, url: () => vhost.url });
  const target = { exchange: 'nova', topic: 'conductor' };
  const firehose = (change: string) =>
    sharedRabbit().admin.evaluate(`rabbit_trace:${change}(<<"${vhost.name}">>), true`);

  beforeAll(async () => {
    await server.serve({ name: 'one', target: { ...target, server: 'host1' }, offered: ['plain'] });
    await firehose('start');
  });
  afterAll(() => firehose('stop'));

  it('has each call, cast, fanout and notification once, with its answer and who took it', async () => {
    const recorder = recordTrace(version, vhost.amqpUrl);
    await recorder.ready;
    const interruption = new AbortController();
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((settle) => (begin = settle));
    // The notifier of the Python client has the default exchange.
    const tapping = oslo('tap --exchange nova --exchange openstack --json', {
      env: { OSLO_TRANSPORT_URL: vhost.url },
      signal: interruption.signal,
      onErr: (text) => void (text.startsWith('tap: firehose') && begin()),
    });
    await begun;
    for (let n = 0; n < 5; n++) await client.call('echo', { n }, { target });
    await client.call('echo', {}, { target, prepare: { server: 'host1' } });
    await client.failure('no_such_method', {}, { target });
    await client.cast('echo', { n: 6 }, { target });
    await client.fanout('echo', { n: 7 }, { target });
    await client.notify({ priority: 'info', event_type: 'compute.end', payload: { id: 1 } });
    const published = () => recorder.traced().filter(({ key, message }) => key.startsWith('publish.') && message);
    await eventually(() => published().some(({ message }) => message?.event_type === 'compute.end'));
    await eventually(() => recorder.traced().filter(({ key }) => key.startsWith('deliver.conductor')).length >= 9);
    const { traced } = recorder;
    interruption.abort();
    const { code, documents } = await tapping;
    recorder.end();

    expect(code).toBe(0);
    const requests = documents.filter(({ event }) => event === 'request') as unknown as SeenInTap[];
    const idOf = (message: Record<string, unknown>) => message._msg_id ?? message._unique_id;
    const expected = published().flatMap(({ message }) => (typeof message?.method === 'string' ? [idOf(message)] : []));
    expect(requests.map(({ id }) => id as unknown).toSorted()).toEqual(expected.toSorted());
    expect(requests).toHaveLength(9);
    const replies = published().filter(({ message }) => message && 'ending' in message && message.ending);
    const answered = requests.filter(({ kind }) => kind === 'call');
    expect(answered.map(({ id }) => id as unknown).toSorted()).toEqual(
      replies.map(({ message }) => message!._msg_id).toSorted(),
    );
    expect(answered.map(({ state }) => state as unknown)).toEqual([
      ...Array.from({ length: 6 }, () => 'answered'),
      'failed',
    ]);
    expect(answered.at(-1)?.failure).toMatchObject({ excType: 'NoSuchMethod' });
    for (const { id, taken } of answered) {
      const delivered = traced().find(
        ({ key, message }) => key.startsWith('deliver.') && message && message._msg_id === id && 'method' in message,
      );
      expect(`deliver.${taken.queue}`).toBe(delivered?.key);
    }
    expect(documents.filter(({ event }) => event === 'notification')).toHaveLength(1);
    expect(documents.at(-1)).toMatchObject({ event: 'end', skipped: 0, droppedAtLeast: 0, forgotten: 0 });
  });

  it('takes nothing from anybody: Python’s queues are empty, and its servers were asked for everything', async () => {
    expect((await vhost.queue('conductor'))?.messagesReady).toBe(0);
    expect(server.requests('one').filter(({ method }) => method === 'echo')).toHaveLength(8);
  });

  it('a silent ping runs nothing there, and leaves no line in its log', async () => {
    const before = server.log;
    const { code, documents } = await oslo(
      'ping conductor.host1 --exchange nova --version 1.0 --count 3 --interval 10ms --json',
      {
        env: { OSLO_TRANSPORT_URL: vhost.url },
      },
    );
    expect(code).toBe(0);
    expect(documents.map(({ answer, versionServed }) => [answer, versionServed])).toEqual(
      Array.from({ length: 3 }, () => ['alive', true]),
    );
    expect(server.log).toBe(before);
  });

  it('why finds nothing wrong with a Python server, and its version where that is it', async () => {
    const env = { OSLO_TRANSPORT_URL: vhost.url };
    expect(await oslo('why conductor.host1 --exchange nova --version 1.0', { env })).toMatchObject({ code: 0 });
    const { code, documents } = await oslo('why conductor --exchange nova --version 9.0 --json', { env });
    expect(code).toBe(1);
    expect(documents[0]).toMatchObject({
      findings: expect.arrayContaining([expect.objectContaining({ step: 'version', state: 'fail' })]),
    });
  });
});
