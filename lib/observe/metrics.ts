/**
 * Metrics for Prometheus.
 *
 * @module nestjs-oslo-messaging/prometheus
 */
import { Counter, register, type Registry } from 'prom-client';
import type { AroundHook } from '../events/around-hook.js';
import { rpcSeries } from './series/rpc-series.js';
import { StateSeries } from './series/state-series.js';

/**
 * Options of `promMetrics`.
 *
 * @publicApi
 */
export interface PromMetricsOptions {
  /** The registry of the series. @defaultValue the global one of `prom-client` */
  registry?: Registry;
  /** The label `process` of oslo.metrics' series. `metrics_process_name`. @defaultValue '' */
  processName?: string;
}

/**
 * Metrics for Prometheus: the series of oslo.metrics under their names, labels and buckets, for clients and for servers, and
 * our own, `nestjs_oslo_…`, of connections, replies, queues and handlers. Make one, and give it to all as a hook. A series has
 * 1 000 combinations of labels at most; what comes after them is counted as `other`. Needs the package `prom-client`.
 *
 * @example
 * ```ts
 * import { OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';
 * import { promMetrics } from 'nestjs-oslo-messaging/prometheus';
 *
 * const hooks = [promMetrics()];
 * OsloRpcModule.forRoot({ transportUrl, hooks });
 * new ServerOsloRpc({ transportUrl, topic: 'conductor', hooks });
 * ```
 *
 * @throws Error the registry has such series already
 * @publicApi
 */
export function promMetrics({ registry = register, processName = '' }: PromMetricsOptions = {}): AroundHook {
  const folded = new Counter({
    name: 'nestjs_oslo_folded_observations_total',
    help: 'Observations whose labels were too many, and are counted as other.',
    labelNames: ['series'],
    registers: [registry],
  });
  const state = new StateSeries(registry);
  const rpc = rpcSeries({ registry, processName, onFolded: (series) => folded.inc({ series }) });
  return { ...rpc, attach: (part) => state.attach(part) };
}
