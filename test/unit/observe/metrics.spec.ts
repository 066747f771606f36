import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Broker,
  connectBroker,
  NotificationListener,
  NotifierCore,
  RpcClient,
  RpcServer,
} from 'nestjs-oslo-messaging';
import { promMetrics } from 'nestjs-oslo-messaging/prometheus';
import { createMemoryBus, type MemoryTestBus } from 'nestjs-oslo-messaging/testing';
import { eventually } from '../../support/eventually.js';
import { type Sample, samplesOf } from '../../support/scrape.js';

const target = { exchange: 'nova', topic: 'conductor' };

let bus: MemoryTestBus;
let broker: Broker;
let registry: Registry;
let hooks: ReturnType<typeof promMetrics>[];
let server: RpcServer;
let client: RpcClient;
let release: () => void;
beforeEach(async () => {
  bus = createMemoryBus();
  broker = await connectBroker(bus.url);
  registry = new Registry();
  hooks = [promMetrics({ registry, processName: 'nova-api' })];
  const held = new Promise<void>((resolve) => (release = resolve));
  const methods = {
    ping: () => 'pong',
    hang: () => held,
    fail: () => {
      throw new RangeError('too far');
    },
  };
  server = new RpcServer(broker, { ...target, server: 'host1' }, [{ methods, anyMethod: () => null }], {
    hooks,
    executorThreadPoolSize: 3,
  });
  server.events.subscribe(() => undefined);
  await server.start();
  client = new RpcClient(broker, target, { hooks });
});
afterEach(async () => {
  release();
  await client.close();
  await server.close();
  await broker.close();
  await bus.close();
});

const scrape = async (): Promise<Sample[]> => samplesOf(await registry.metrics());
async function valueOf(name: string, labels: Record<string, string> = {}): Promise<number> {
  const fitting = (await scrape()).filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return fitting.reduce((sum, { value }) => sum + value, 0);
}

describe('the series of oslo.metrics', () => {
  const ofClient = {
    call_type: 'call',
    exchange: 'nova',
    topic: 'conductor',
    namespace: 'None',
    version: 'None',
    server: 'None',
    fanout: 'None',
    process: 'nova-api',
    method: 'ping',
    timeout: '60',
  };
  const ofServer = {
    exchange: 'nova',
    topic: 'conductor',
    server: 'host1',
    endpoint: 'None',
    namespace: 'None',
    version: '1.0',
    method: 'ping',
    process: 'nova-api',
  };

  it('count a call at both ends', async () => {
    await client.call('ping');
    const samples = await scrape();
    const of = (name: string): Sample[] => samples.filter((sample) => sample.name === name);
    for (const [side, labels] of [
      ['client', ofClient],
      ['server', ofServer],
    ] as const) {
      for (const end of ['invocation_start_total', 'invocation_end_total', 'processing_seconds_count']) {
        const name = `oslo_messaging_rpc_${side}_${end}`;
        expect(of(name)).toEqual([{ name, labels, value: 1 }]);
      }
    }
  });

  it('count failures by class, with an end and a duration', async () => {
    await expect(client.call('fail')).rejects.toThrow('too far');
    const failed = { method: 'fail' };
    expect(await valueOf('oslo_messaging_rpc_client_exception_total', { ...failed, exception: 'ValueError' })).toBe(1);
    expect(await valueOf('oslo_messaging_rpc_server_exception_total', { ...failed, exception: 'RangeError' })).toBe(1);
    expect(await valueOf('oslo_messaging_rpc_client_invocation_end_total', failed)).toBe(1);
    expect(await valueOf('oslo_messaging_rpc_client_processing_seconds_count', failed)).toBe(1);
  });

  it('count casts and fanouts as casts', async () => {
    await client.cast('ping');
    await client.fanout('ping');
    const start = 'oslo_messaging_rpc_client_invocation_start_total';
    expect(await valueOf(start, { call_type: 'cast', fanout: 'None', timeout: 'None' })).toBe(1);
    expect(await valueOf(start, { call_type: 'cast', fanout: 'True', timeout: 'None' })).toBe(1);
  });
});

describe('our own series', () => {
  it('show who waits and who is busy', async () => {
    const calls = Array.from({ length: 5 }, () => client.call('hang'));
    await eventually(async () => (await valueOf('nestjs_oslo_waiting_requests')) === 2);
    expect(await valueOf('nestjs_oslo_pending_calls', { bus: broker.url })).toBe(5);
    expect(await valueOf('nestjs_oslo_handler_slots', { server: 'host1', topic: 'conductor' })).toBe(3);
    expect(await valueOf('nestjs_oslo_handler_slots_used', { server: 'host1' })).toBe(3);
    expect(await valueOf('nestjs_oslo_connection_state', { state: 'connected' })).toBe(1);
    expect(await valueOf('nestjs_oslo_connection_state', { state: 'blocked' })).toBe(0);
    release();
    await Promise.all(calls);
    expect(await valueOf('nestjs_oslo_pending_calls')).toBe(0);
  });

  it('count timeouts by reason, and the late reply, which outlive their client', async () => {
    await expect(client.prepare({ timeout: 0.05 }).call('hang')).rejects.toThrow(/timed out/);
    expect(await valueOf('nestjs_oslo_timeouts_total', { exchange: 'nova', topic: 'conductor', method: 'hang' })).toBe(
      1,
    );
    release();
    const late = { reason: 'late' };
    await eventually(async () => (await valueOf('nestjs_oslo_unmatched_replies_total', late)) === 1);
    await client.close();
    expect(await valueOf('nestjs_oslo_unmatched_replies_total', late)).toBe(1);
    expect(await valueOf('nestjs_oslo_pending_calls')).toBe(0);
  });

  it('count what clients of one bus share once', async () => {
    const another = new RpcClient(broker, target, { hooks });
    const call = another.call('hang');
    await eventually(async () => (await valueOf('nestjs_oslo_handler_slots_used')) === 1);
    expect(await valueOf('nestjs_oslo_pending_calls')).toBe(1);
    expect(await valueOf('nestjs_oslo_connection_state')).toBe(1);
    release();
    await call;
    await another.close();
  });

  it('count what listeners drop, and what they hold', async () => {
    let hold = true;
    const handler = (): unknown => {
      if (hold) return new Promise<void>((resolve) => (release = resolve));
      throw new Error('no');
    };
    const listener = new NotificationListener(broker, [{ priorities: 'info', handler }], { exchange: 'nova', hooks });
    listener.events.subscribe(() => undefined);
    await listener.start();
    const notifier = new NotifierCore(broker, { exchange: 'nova', hooks });
    await notifier.info('a', {});
    const queue = { queue: 'notifications.info' };
    await eventually(async () => (await valueOf('nestjs_oslo_listener_backlog', queue)) === 1);
    hold = false;
    release();
    await notifier.info('a', {});
    const failed = { kind: 'notification', reason: 'failed' };
    await eventually(async () => (await valueOf('nestjs_oslo_dropped_total', failed)) === 1);
    expect(await valueOf('nestjs_oslo_listener_backlog', queue)).toBe(0);
    await notifier.close();
    await listener.close();
  });
});

it('a series has a thousand combinations of labels, and one of others', async () => {
  await Promise.all(Array.from({ length: 1_010 }, (_, n) => client.call(`method${n}`)));
  const start = 'oslo_messaging_rpc_client_invocation_start_total';
  expect((await scrape()).filter(({ name }) => name === start)).toHaveLength(1_001);
  expect(await valueOf(start, { method: 'other', topic: 'other' })).toBe(10);
  expect(await valueOf('nestjs_oslo_folded_observations_total', { series: start })).toBe(10);
  await client.call('method0');
  expect(await valueOf(start, { method: 'method0' })).toBe(2);
});

describe('the dashboard', () => {
  interface Panel {
    title: string;
    targets?: { expr: string }[];
  }
  const { panels, templating } = JSON.parse(readFileSync('docs/grafana/oslo-messaging.json', 'utf8')) as {
    panels: Panel[];
    templating: { list: { definition?: string }[] };
  };
  const queries = [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...templating.list.flatMap(({ definition }) => definition ?? []),
  ];

  /** Each series of a query with the labels that are asked of it: in its selector, and in the `by` around it. */
  function askedIn(query: string): { name: string; labels: string[] }[] {
    const parts = query.split(/(?=\bsum\b)/);
    return parts.flatMap((part) => {
      const by = /\bby \(([^)]*)\)/.exec(part)?.[1]?.split(/,\s*/) ?? [];
      return [...part.matchAll(/\b((?:oslo_messaging|nestjs_oslo)_\w+)(?:\{([^}]*)\}|, (\w+)\))?/g)].map(
        ([, name, selector = '', listed]) => ({
          name: name!,
          labels: [...by, ...[...selector.matchAll(/(\w+)=/g)].map(([, label]) => label!), ...(listed ? [listed] : [])],
        }),
      );
    });
  }

  it('asks only for series and labels that a scrape has, and for all of ours', async () => {
    await Promise.all([client.call('ping'), client.call('fail').catch(() => undefined)]);
    await client
      .prepare({ timeout: 0.05 })
      .call('hang')
      .catch(() => undefined);
    await Promise.all(Array.from({ length: 1_001 }, (_, n) => client.call(`method${n}`)));
    const listener = new NotificationListener(broker, [{ priorities: 'info', handler: () => undefined }], { hooks });
    await listener.start();
    const notifier = new NotifierCore(broker, { hooks });
    const labels = new Map<string, Set<string>>();
    for (const sample of await scrape()) {
      labels.set(sample.name, new Set([...(labels.get(sample.name) ?? []), ...Object.keys(sample.labels)]));
    }
    const asked = queries.flatMap(askedIn);
    const missing = asked.flatMap(({ name, labels: wanted }) => {
      const known = labels.get(name);
      return known ? wanted.filter((label) => !known.has(label)).map((label) => `${name}{${label}}`) : [name];
    });
    expect(missing).toEqual([]);
    const shown = new Set(asked.map(({ name }) => name));
    expect([...labels.keys()].filter((name) => name.startsWith('nestjs_oslo_') && !shown.has(name))).toEqual([]);
    expect(asked.length).toBeGreaterThan(25);
    await notifier.close();
    await listener.close();
  });
});
