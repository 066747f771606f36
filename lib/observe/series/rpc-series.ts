import { Counter, Histogram, type Registry } from 'prom-client';
import { MessagingTimeout, RemoteError } from '../../errors/rpc.errors.js';
import type { AroundHook, HookedMessage } from '../../events/around-hook.js';
import { BoundedLabels, type LabelValue, type Labels } from './bounded-labels.js';
import { settled } from '../settled.js';

/** `rpc_client_common_labels` of oslo.metrics. */
const CLIENT_LABELS = [
  'call_type',
  'exchange',
  'topic',
  'namespace',
  'version',
  'server',
  'fanout',
  'process',
  'method',
  'timeout',
] as const;
type ClientLabel = (typeof CLIENT_LABELS)[number];

/** `rpc_server_common_labels` of oslo.metrics. */
const SERVER_LABELS = ['exchange', 'topic', 'server', 'endpoint', 'namespace', 'version', 'method', 'process'] as const;

const TIMEOUT_LABELS = ['exchange', 'topic', 'method', 'reason'] as const;

/** `rpc_processing_seconds_buckets` of oslo.metrics. */
const BUCKETS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 25, 50, 75, 100];

/** Whom the series are for. */
export interface SeriesOptions {
  readonly registry: Registry;
  /** The label `process`. */
  readonly processName: string;
  /** Told the name of a series whose labels have become too many. */
  onFolded(series: string): void;
}

/** The four series of one side, as oslo.metrics declares them. */
class Invocations<Name extends string> {
  private readonly start: Counter<Name>;
  private readonly end: Counter<Name>;
  private readonly seconds: Histogram<Name>;
  private readonly exceptions: Counter<Name | 'exception'>;
  private readonly labels: BoundedLabels<Name>;
  private readonly exceptionLabels: BoundedLabels<Name | 'exception'>;

  constructor(side: 'client' | 'server', labelNames: readonly Name[], { registry, onFolded }: SeriesOptions) {
    const prefix = `oslo_messaging_rpc_${side}`;
    const registers = [registry];
    const started = side === 'server' ? 'Handlers that were started.' : 'Calls and casts that were begun.';
    const start = { name: `${prefix}_invocation_start_total`, help: started, labelNames, registers };
    const end = { name: `${prefix}_invocation_end_total`, help: 'Those that ended, however.', labelNames, registers };
    const name = `${prefix}_processing_seconds`;
    const seconds = { name, help: 'How long they took.', labelNames, registers, buckets: BUCKETS };
    const withClass = [...labelNames, 'exception'] as const;
    const failed = { name: `${prefix}_exception_total`, help: 'Those that failed.', labelNames: withClass, registers };
    this.start = new Counter(start);
    this.end = new Counter(end);
    this.seconds = new Histogram(seconds);
    this.exceptions = new Counter(failed);
    this.labels = new BoundedLabels(labelNames, () => onFolded(start.name));
    this.exceptionLabels = new BoundedLabels(withClass, () => onFolded(failed.name));
  }

  /** Unlike Python's, one that failed has an end and a duration as well. */
  around<T>(values: Record<Name, LabelValue>, next: () => T): T {
    const labels: Labels<Name> = this.labels.bounded(values);
    const startedAt = performance.now();
    this.start.inc(labels);
    return settled(next, (error) => {
      if (error) this.exceptions.inc(this.exceptionLabels.bounded({ ...values, exception: classOf(error.thrown) }));
      this.seconds.observe(labels, (performance.now() - startedAt) / 1000);
      this.end.inc(labels);
    });
  }
}

/** oslo.metrics' series of RPC, and the reasons of timeouts, from what passes the hooks. */
export function rpcSeries(options: SeriesOptions): Required<Omit<AroundHook, 'attach'>> {
  const { registry, processName: process, onFolded } = options;
  const client = new Invocations('client', CLIENT_LABELS, options);
  const server = new Invocations('server', SERVER_LABELS, options);
  const name = 'nestjs_oslo_timeouts_total';
  const help = 'Calls without an answer in time, by the reason that was found.';
  const timeouts = new Counter({ name, help, labelNames: TIMEOUT_LABELS, registers: [registry] });
  const timeoutLabels = new BoundedLabels(TIMEOUT_LABELS, () => onFolded(name));
  const noteTimeout = (error: unknown, { target, method }: HookedMessage): void => {
    if (!(error instanceof MessagingTimeout)) return;
    const reason = error.diagnosis?.reason ?? 'not-sent';
    timeouts.inc(timeoutLabels.bounded({ exchange: target.exchange, topic: target.topic, method, reason }));
  };
  return {
    aroundCall(message, next) {
      const noted = (): ReturnType<typeof next> =>
        settled(next, (error) => {
          if (error) noteTimeout(error.thrown, message);
        });
      return client.around(clientLabels(message, 'call', process), noted);
    },
    aroundSend(message, next) {
      if (message.kind === 'call' || message.kind === 'notification') return next();
      return client.around(clientLabels(message, 'cast', process), next);
    },
    aroundProcess(message, next) {
      if (message.kind !== 'request') return next();
      const { exchange, topic, server: host, namespace, version } = message.target;
      const { endpoint, method } = message;
      return server.around({ exchange, topic, server: host, endpoint, namespace, version, method, process }, next);
    },
  };
}

/** What is not a fanout says nothing of it, as a target in Python does. */
function clientLabels(message: HookedMessage, type: 'call' | 'cast', process: string): Record<ClientLabel, LabelValue> {
  const { exchange, topic, namespace, version, server, fanout } = message.target;
  const { method, timeout } = message;
  return {
    call_type: type,
    exchange,
    topic,
    namespace,
    version,
    server,
    fanout: fanout ? true : undefined,
    process,
    method,
    timeout,
  };
}

/**
 * `error.__class__.__name__` at Python's caller, where failures of Python's own classes are these, and others `RemoteError`
 * (`deserialize_remote_exception`).
 */
function classOf(thrown: unknown): string {
  try {
    if (thrown instanceof RemoteError && thrown.module === 'builtins') return thrown.excType;
    return thrown instanceof Error ? thrown.constructor.name : typeof thrown;
  } catch {
    return 'unknown';
  }
}
