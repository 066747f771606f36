import { context, propagation, type Span as ApiSpan, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib';
import { BasicTracerProvider, type ReadableSpan, type Span } from '@opentelemetry/sdk-trace-base';

/** A span of this process, for the test that has started it. */
export interface SpanReport {
  readonly name: string;
  readonly id: string;
  readonly trace: string;
  readonly parent: string | undefined;
  readonly ended: boolean;
  /** Of its status, where it failed. */
  readonly failure: string | undefined;
}

export interface ProgramReport {
  readonly spans: readonly SpanReport[];
  /** Of the many messages: how many were consumed, how many of the first thousand something still holds. */
  readonly many: {
    readonly consumed: number;
    readonly unended: number;
    readonly alive: number;
    readonly grownBytes: number;
  };
}

const [url, many] = [process.argv[2]!, Number(process.argv[3])];

/** Keeps spans that have begun, while it is on, and counts those that have not ended. */
const recorder = {
  keeps: true,
  unended: 0,
  begun: [] as Span[],
  ended: new Set<ReadableSpan>(),
  get open(): string[] {
    return this.begun.filter((span) => !this.ended.has(span)).map(({ name }) => name);
  },
  onStart(span: Span): void {
    this.unended += 1;
    if (this.keeps) this.begun.push(span);
  },
  onEnd(span: ReadableSpan): void {
    this.unended -= 1;
    if (this.keeps) this.ended.add(span);
  },
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** Of the many messages. */
let consumed = 0;
/** The first of them, as amqplib has delivered them. */
const watched: WeakRef<object>[] = [];
const mostWatched = 1_000;

const tracerProvider = new BasicTracerProvider({ spanProcessors: [recorder] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(tracerProvider);
// amqplib is loaded behind it.
const instrumentation = new AmqplibInstrumentation({
  consumeHook: (_span, { msg }) => {
    if (recorder.keeps) return;
    consumed += 1;
    if (watched.length < mostWatched) watched.push(new WeakRef(msg));
  },
});
instrumentation.setTracerProvider(tracerProvider);

const tracer = tracerProvider.getTracer('test');

function inSpan<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  return tracer.startActiveSpan(name, async (span: ApiSpan) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
}

async function until(isReached: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  while (!isReached()) {
    if (performance.now() > giveUpAt) throw new Error(`Still open: ${recorder.open.join(', ')}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function reportOf(span: Span): SpanReport {
  const { name, status, parentSpanContext } = span;
  const { spanId: id, traceId } = span.spanContext();
  const ended = recorder.ended.has(span);
  return { name, id, trace: traceId, parent: parentSpanContext?.spanId, ended, failure: status.message };
}

async function main(): Promise<void> {
  const { connectBroker, NotificationListener, NotificationResult, NotifierCore, RpcClient, RpcServer } =
    await import('nestjs-oslo-messaging/core');
  const { otelHook } = await import('nestjs-oslo-messaging/opentelemetry');
  const [serving, calling] = [await connectBroker(url), await connectBroker(url)];
  const target = { exchange: 'nova', topic: 'conductor' };
  let served = 0;
  const methods = {
    work: ({ name }: { name: string }) =>
      inSpan(`work ${name}`, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        served += 1;
        return name;
      }),
    count: () => void (served += 1),
  };
  const server = new RpcServer(serving, { ...target, server: 'host1' }, [{ methods }]);
  await server.start();
  const hooked = new RpcServer(serving, { exchange: 'nova', topic: 'hooked', server: 'host1' }, [{ methods }], {
    hooks: [otelHook({ tracerProvider })],
  });
  await hooked.start();

  let attempts = 0;
  const notifications = { exchange: 'nova', topics: ['notifications'] };
  const handler = (): Promise<unknown> =>
    inSpan('listen', async () => {
      attempts += 1;
      return attempts === 1 ? NotificationResult.REQUEUE : NotificationResult.HANDLED;
    });
  const listener = new NotificationListener(serving, [
    { ...notifications, priorities: ['info'], allowRequeue: true, handler },
  ]);
  await listener.start();

  const client = new RpcClient(calling, target, { timeout: 20 });
  const notifier = new NotifierCore(calling, { ...notifications, publisherId: 'compute.host1' });
  const calls = ['a', 'b', 'c', 'd', 'e'].map((name) => inSpan(`call ${name}`, () => client.call('work', { name })));
  await Promise.all(calls);
  await inSpan('cast', () => client.cast('work', { name: 'cast' }));
  await inSpan('notify', () => notifier.info('instance.create', { n: 1 }));
  const hookedClient = new RpcClient(
    calling,
    { exchange: 'nova', topic: 'hooked' },
    { hooks: [otelHook({ tracerProvider })] },
  );
  await inSpan('hooked', () => hookedClient.call('work', { name: 'hooked' }));
  await until(() => served === 7 && attempts === 2 && recorder.unended === 0);
  const { length } = recorder.begun;

  recorder.keeps = false;
  let grownBytes = 0;
  const batch = 1_000;
  for (let sent = 0; sent < many; sent += batch) {
    served = 0;
    await Promise.all(Array.from({ length: batch / 2 }, () => client.call('count')));
    await Promise.all(Array.from({ length: batch / 2 }, () => client.cast('count')));
    await until(() => served === batch && recorder.unended === 0);
    if (sent === 0) grownBytes -= heapUsed();
  }
  grownBytes += heapUsed();
  await until(() => recorder.unended === 0);
  const alive = watched.filter((message) => message.deref() !== undefined).length;

  await Promise.all([hooked.close(), listener.close(), server.close(), client.close(), hookedClient.close()]);
  await Promise.all([serving.close(), calling.close()]);
  const report: ProgramReport = {
    spans: recorder.begun.slice(0, length).map(reportOf),
    many: { consumed, unended: recorder.unended, alive, grownBytes },
  };
  process.stdout.write(JSON.stringify(report));
}

function heapUsed(): number {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

void main();
