import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker, RpcClient, RpcServer } from 'nestjs-oslo-messaging';
import { promMetrics } from 'nestjs-oslo-messaging/prometheus';
import { useVhost } from '../support/rabbit.js';
import { type Sample, samplesOf } from '../support/scrape.js';
import { PythonLines } from './support/python-lines.js';

const vhost = useVhost({ mayLeave: /^reply_/ });
const target = { exchange: 'nova', topic: 'conductor' };

/** The same calls are made by Python and by us. */
const calls = [
  { target, prepare: {}, method: 'ping', cast: false },
  { target, prepare: { server: 'host1', namespace: 'base', version: '1.0' }, method: 'ping', cast: false },
  { target, prepare: {}, method: 'fail', cast: false },
  { target, prepare: {}, method: 'ping', cast: true },
  { target, prepare: { fanout: true }, method: 'ping', cast: true },
];

describe('beside a client of oslo.messaging 18.3.1 and the collector of oslo.metrics', () => {
  let broker: Broker;
  let server: RpcServer;
  let ours: Sample[];
  let python: Sample[];
  let types: { ours: string[]; python: string[] };

  beforeAll(async () => {
    broker = await connectBroker(vhost.url);
    const methods = {
      ping: () => 'pong',
      fail: () => {
        throw new RangeError('too far');
      },
    };
    const registry = new Registry();
    const hooks = [promMetrics({ registry, processName: 'nova-api' })];
    server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods }, { namespace: 'base', methods }]);
    server.events.subscribe(() => undefined);
    await server.start();
    const client = new RpcClient(broker, target, { hooks });
    for (const { prepare, method, cast } of calls) {
      const prepared = client.prepare(prepare);
      await (cast ? prepared.cast(method) : prepared.call(method).catch(() => undefined));
    }
    await client.close();
    const directory = mkdtempSync(join(tmpdir(), 'oslo-metrics-'));
    const given = { url: vhost.url, socket: join(directory, 'collector.sock'), calls };
    const lines = await PythonLines.start<{ ready: true; scrape: string }>('18.3.1', 'metered_client.py', given);
    const scrape = { ours: await registry.metrics(), python: lines.lines[0]!.scrape };
    await lines.close();
    rmSync(directory, { recursive: true });
    [ours, python] = [samplesOf(scrape.ours), samplesOf(scrape.python)];
    types = { ours: typesIn(scrape.ours), python: typesIn(scrape.python) };
  });
  afterAll(async () => {
    await server.close();
    await broker.close();
  });

  /** Declared names and types, of those that oslo.metrics declares itself. */
  function typesIn(scrape: string): string[] {
    return [...scrape.matchAll(/^# TYPE (oslo_messaging_rpc_\w+(?<!_created)) (\w+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
  }

  /** Python's client knows no timeout but the default, and leaves it out: ours is compared without. */
  function counted(samples: Sample[], name: string): string[] {
    const of = samples.filter((sample) => sample.name === name);
    return of
      .map(({ labels, value }) => `${JSON.stringify(Object.entries({ ...labels, timeout: '' }).toSorted())} ${value}`)
      .toSorted();
  }

  it('has the same series, of the same types', () => {
    expect(types.ours.toSorted()).toEqual(types.python.toSorted());
    expect(types.python).toHaveLength(8);
  });

  it('has the same buckets', () => {
    const buckets = (samples: Sample[]): number[] => {
      const of = samples.filter(({ name }) => name === 'oslo_messaging_rpc_client_processing_seconds_bucket');
      return [...new Set(of.map(({ labels }) => Number(labels['le']!.replace('+Inf', 'Infinity'))))];
    };
    expect(buckets(ours)).toEqual(buckets(python));
    expect(buckets(python)).toHaveLength(18);
  });

  it('counts the same calls under the same labels, None, True and the class of a failure included', () => {
    for (const end of ['invocation_start_total', 'exception_total']) {
      const name = `oslo_messaging_rpc_client_${end}`;
      expect(counted(ours, name)).toEqual(counted(python, name));
      expect(counted(python, name).length).toBeGreaterThan(0);
    }
  });

  it('has all labels of Python, those of servers as well', () => {
    const labelsOf = (samples: Sample[], name: string): string[] =>
      Object.keys(samples.find((sample) => sample.name === name)!.labels).toSorted();
    const start = 'oslo_messaging_rpc_client_invocation_start_total';
    expect(labelsOf(ours, start)).toEqual(labelsOf(python, start));
  });

  it('gives failed calls an end and a duration, which Python leaves out', () => {
    const ends = (samples: Sample[], end: string): number =>
      samples
        .filter(({ name, labels }) => name === `oslo_messaging_rpc_client_${end}` && labels['method'] === 'fail')
        .reduce((sum, { value }) => sum + value, 0);
    for (const end of ['invocation_end_total', 'processing_seconds_count']) {
      expect([ends(ours, end), ends(python, end)]).toEqual([1, 0]);
    }
  });
});
