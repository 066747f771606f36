import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

/** The SDK with its spans in memory, and what an application registers with the API. */
export class Spans {
  readonly exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] });

  /** Those that have ended, in that order. */
  get ended(): readonly ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(name: string): ReadableSpan {
    const found = this.ended.filter((span) => span.name === name);
    if (found.length !== 1) throw new Error(`${found.length} spans '${name}' among ${this.names.join(', ')}`);
    return found[0]!;
  }

  /** Of all that have ended since the first test, the last of each name. */
  readonly kept = new Map<string, ReadableSpan>();

  keep(): void {
    for (const span of this.ended) this.kept.set(span.name, span);
  }

  get names(): string[] {
    return this.ended.map(({ name }) => name);
  }

  /** Runs `work` inside a span, as a controller of an instrumented web server does. */
  inSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.provider.getTracer('test').startActiveSpan(name, async (span) => {
      try {
        return await work();
      } finally {
        span.end();
      }
    });
  }
}

export function idsOf(span: ReadableSpan): { traceId: string; spanId: string; parent: string | undefined } {
  const { traceId, spanId } = span.spanContext();
  return { traceId, spanId, parent: span.parentSpanContext?.spanId };
}

export function isFailed({ status }: ReadableSpan): boolean {
  return status.code === SpanStatusCode.ERROR;
}

/** For the tests of this file; the provider is handed over, propagator and context are registered. */
export function useSpans(): Spans {
  const spans = new Spans();
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  });
  beforeEach(() => spans.exporter.reset());
  afterEach(() => spans.keep());
  afterAll(() => {
    context.disable();
    propagation.disable();
    trace.disable();
  });
  return spans;
}
