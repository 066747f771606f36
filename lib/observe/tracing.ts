/**
 * Spans by OpenTelemetry.
 *
 * @module nestjs-oslo-messaging/opentelemetry
 */
import {
  type Attributes,
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { MessagingTimeout, RemoteError } from '../errors/rpc.errors.js';
import { textOf } from '../errors/text-of.js';
import type { AroundHook, HookedMessage } from '../events/around-hook.js';
import { isRecord } from '../wire/json/is-record.js';
import { maskSecrets } from '../wire/redaction.js';
import { shown } from '../wire/shown.js';
import { settled } from './settled.js';

/** Of the message and the stack of an error, in characters. */
const LONGEST_TEXT = 10_000;

/**
 * Options of `otelHook`.
 *
 * @publicApi
 */
export interface OtelHookOptions {
  /** Makes the tracer of the spans. @defaultValue the one that is registered with the API */
  tracerProvider?: TracerProvider;
}

/**
 * Spans for OpenTelemetry: one around each call, cast, fanout and notification that is sent, one around each handler. The
 * trace goes on in the request context (`_context_traceparent`), written by the propagator that is registered with the API,
 * where oslo.messaging's own tracing and its instrumentation on PyPI look for it. Needs the package `@opentelemetry/api`.
 *
 * @example
 * ```ts
 * import { OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';
 * import { otelHook } from 'nestjs-oslo-messaging/opentelemetry';
 *
 * const hooks = [otelHook()];
 * OsloRpcModule.forRoot({ transportUrl, hooks });
 * new ServerOsloRpc({ transportUrl, topic: 'conductor', hooks });
 * ```
 *
 * @publicApi
 */
export function otelHook({ tracerProvider }: OtelHookOptions = {}): AroundHook {
  const tracer = (tracerProvider ?? trace).getTracer('nestjs-oslo-messaging');
  return {
    aroundCall: (message, next) => sending(tracer, message, next),
    // The span of a call lasts until its answer: its request has none of its own.
    aroundSend: (message, next) => (message.kind === 'call' ? next() : sending(tracer, message, next)),
    aroundProcess: (message, next) => receiving(tracer, message, next),
  };
}

function sending<T>(tracer: Tracer, message: HookedMessage, next: () => T): T {
  const operation = message.kind === 'notification' ? 'send' : message.kind === 'call' ? 'call' : 'cast';
  const attributes = attributesOf(message, operation);
  const active = context.active();
  const span = tracer.startSpan(`${nameOf(message)} send`, { kind: SpanKind.PRODUCER, attributes }, active);
  const inside = trace.setSpan(active, span);
  inject(inside, message.context);
  return spanning(span, inside, next);
}

/** What came in belongs to the trace of its sender alone, whatever was going on when the connection was made. */
function receiving<T>(tracer: Tracer, message: HookedMessage, next: () => T): T {
  const { batch } = message;
  const attributes = attributesOf(message, 'receive');
  if (batch) attributes['messaging.batch.message_count'] = batch.length;
  const options = { kind: SpanKind.CONSUMER, attributes, links: batch?.flatMap(linkOf) };
  const parent = batch ? ROOT_CONTEXT : senderOf(message);
  const span = tracer.startSpan(`${nameOf(message)} receive`, options, parent);
  return spanning(span, trace.setSpan(parent, span), next);
}

function linkOf(message: HookedMessage): Link[] {
  const sender = trace.getSpanContext(senderOf(message));
  return sender ? [{ context: sender }] : [];
}

/** `_otel_context` is not written by anybody that we know; where it is found, it is a carrier within the context. */
function senderOf({ context: carrier }: HookedMessage): Context {
  const { _otel_context: nested } = carrier;
  const sender = propagation.extract(ROOT_CONTEXT, carrier, TEXTS);
  if (trace.getSpanContext(sender) || !isRecord(nested)) return sender;
  return propagation.extract(ROOT_CONTEXT, nested, TEXTS);
}

/** A peer may put anything there, and propagators take whatever they find for text. */
const TEXTS: TextMapGetter<Record<string, unknown>> = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, key) => {
    const value = Object.hasOwn(carrier, key) ? carrier[key] : undefined;
    return typeof value === 'string' ? value : undefined;
  },
};

/** What a forwarded context has of an older span is replaced whole; without a span to tell of it goes on as it came. */
function inject(inside: Context, carrier: Record<string, unknown>): void {
  const written: Record<string, string> = {};
  propagation.inject(inside, written);
  if (Object.keys(written).length === 0) return;
  for (const field of propagation.fields()) delete carrier[field];
  Object.assign(carrier, written);
}

function spanning<T>(span: Span, inside: Context, next: () => T): T {
  return settled(
    () => context.with(inside, next),
    (failure) => {
      if (failure) fail(span, failure.thrown);
      else span.end();
    },
  );
}

/** Whatever was thrown, the span ends. */
function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  try {
    describe(span, error);
  } catch {
    span.setAttribute('error.type', '_OTHER');
  }
  span.end();
}

function describe(span: Span, error: unknown): void {
  const type = errorTypeOf(error);
  const message = maskSecrets(error instanceof Error ? error.message : textOf(error)).slice(0, LONGEST_TEXT);
  const stack = error instanceof Error ? maskSecrets(String(error.stack)).slice(0, LONGEST_TEXT) : undefined;
  span.setAttribute('error.type', type);
  if (error instanceof MessagingTimeout && error.diagnosis) {
    span.setAttribute('oslo_messaging.timeout.reason', error.diagnosis.reason);
  }
  span.recordException({ name: type, message, stack });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** The class, of an answered failure that of Python. */
function errorTypeOf(error: unknown): string {
  if (error instanceof RemoteError) return shown(error.excType);
  return error instanceof Error ? shown(error.constructor.name) : typeof error;
}

/** As Python's instrumentation names it. */
function nameOf({ kind, method, eventType, target, batch }: HookedMessage): string {
  if (batch && new Set(batch.map((one) => one.eventType)).size > 1) return 'notifications';
  if (kind === 'notification') return eventType ? shown(eventType) : 'notification';
  return shown(target.namespace ? `${target.namespace}.${method}` : method);
}

/** Never arguments, payload or context, but for the request id. */
function attributesOf(message: HookedMessage, operation: 'call' | 'cast' | 'receive' | 'send'): Attributes {
  const { bus, target, msgId, messageId } = message;
  const requestId = text(message.context['request_id']);
  return {
    'messaging.system': bus,
    'messaging.operation': operation,
    'messaging.operation.name': operation,
    'messaging.destination.name': text(target.topic),
    'messaging.message.id': text(msgId ?? messageId),
    'messaging.message.conversation_id': requestId,
    'openstack.request_id': requestId,
    'oslo_messaging.target.exchange': text(target.exchange),
    ...(message.kind === 'notification' ? notificationAttributes(message) : rpcAttributes(message)),
  };
}

function rpcAttributes({ target, method }: HookedMessage): Attributes {
  return {
    'rpc.system': 'oslo.messaging',
    'rpc.method': text(method),
    'rpc.service': text(target.namespace),
    'oslo_messaging.target.server': text(target.server),
  };
}

function notificationAttributes({ eventType, priority, publisherId }: HookedMessage): Attributes {
  return {
    'oslo_messaging.notification.event_type': text(eventType),
    'oslo_messaging.notification.priority': text(priority),
    'oslo_messaging.notification.publisher_id': text(publisherId),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? shown(value) : undefined;
}
