import type { SeenRequest } from '../../observe/traffic/call-pairing.js';
import { kindOf, pairingIdOf, requestIdOf, type TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { stringifyJson } from '../../wire/json/json.js';
import { maskedValue } from '../../wire/masked-value.js';
import { failureText } from '../output.js';
import { type Line, type TonedEnd, toneOfPriority } from '../tone.js';

const LONGEST_ARGUMENTS = 60;
const SHORT_ID = 12;

/** The first line of a tap. */
export const TRAFFIC_HEAD = line('time', 'to', 'what', 'request', 'queue', 'server', 'result');

/** One request as a line for people. */
export function requestLine(request: SeenRequest): Line {
  const { kind, record, topic, server, namespace, method, version, requestId, taken } = request;
  const to = `${topic}${server === undefined ? '' : `.${server}`}${kind === 'fanout' ? ' *' : ''}`;
  const what = `${namespace === null ? '' : `${namespace}.`}${method} v${version} ${argumentsOf(request)}`;
  const before = line(
    clock(record.t),
    to,
    what.trimEnd(),
    (requestId ?? '').slice(0, SHORT_ID),
    taken ? `${taken.at - record.t}ms` : '',
    answeredAt(request) === undefined ? '' : `${answeredAt(request)! - record.t}ms`,
    '',
  );
  const result = resultOf(request);
  return typeof result === 'string' ? `${before}${result}` : { before, ...result };
}

/** One notification as a line for people. */
export function notificationLine(record: TrafficRecord): Line {
  const { event_type: eventType, publisher_id: publisher, priority } = record.message ?? {};
  const requestId = requestIdOf(record.message ?? {}) ?? '';
  const before = line(clock(record.t), record.key, String(eventType), requestId.slice(0, SHORT_ID), '', '', '');
  const [word, after] = [String(priority), ` of ${String(publisher)}`];
  const tone = toneOfPriority(word);
  return tone === undefined ? `${before}${word}${after}` : { before, word, tone, after };
}

/** A server or listener gets a message, as a line for people. */
export function deliveryLine(record: TrafficRecord): string {
  const { t, queue = '', conn, redelivered } = record;
  const requestId = requestIdOf(record.message ?? {}) ?? '';
  const result = `delivered to ${conn ?? 'an unknown connection'}${redelivered ? ', not for the first time' : ''}`;
  return line(clock(t), queue, nameOf(record), requestId.slice(0, SHORT_ID), '', '', result);
}

/** The method of a request, the type of a notification. */
export function nameOf({ message }: TrafficRecord): string {
  const name = message?.method ?? message?.event_type;
  return typeof name === 'string' ? name : '';
}

export function deliveryData(record: TrafficRecord): object {
  const { t, queue, conn, node, redelivered, message = {} } = record;
  const [id, requestId] = [pairingIdOf(message), requestIdOf(message)];
  return {
    event: 'delivery',
    kind: kindOf(record),
    at: new Date(t).toISOString(),
    queue,
    name: nameOf(record),
    ...(id !== undefined && { id }),
    ...(requestId !== undefined && { requestId }),
    ...(conn !== undefined && { conn }),
    ...(node !== undefined && { node }),
    redelivered,
  };
}

/** The same as data. */
export function requestData(request: SeenRequest): object {
  const { id, kind, record, topic, server, namespace, method, version, args, requestId, taken, state } = request;
  const { exchange, routed, conn, node, size, t } = record;
  return {
    event: 'request',
    kind,
    id,
    at: new Date(t).toISOString(),
    target: { exchange, topic, ...(server !== undefined && { server }), namespace, version },
    method,
    args,
    ...(requestId !== undefined && { requestId }),
    size,
    ...(routed && { routed }),
    ...(conn !== undefined && { conn }),
    ...(node !== undefined && { node }),
    ...(taken && { taken: { ...taken, at: new Date(taken.at).toISOString(), afterMs: taken.at - t } }),
    state: state.name,
    ...(answeredAt(request) !== undefined && { elapsedMs: answeredAt(request)! - t }),
    ...('failure' in state && state.failure && { failure: state.failure }),
  };
}

export function notificationData(record: TrafficRecord): object {
  const { event_type: eventType, publisher_id: publisherId, priority, payload } = record.message ?? {};
  const { t, exchange, key } = record;
  return {
    event: 'notification',
    at: new Date(t).toISOString(),
    exchange,
    key,
    priority,
    eventType,
    publisherId,
    payload,
  };
}

/** When the answer came. */
export function answeredAt({ state }: SeenRequest): number | undefined {
  return 'at' in state ? state.at : undefined;
}

export function isTrouble({ state }: SeenRequest): boolean {
  return ['expired', 'failed', 'late', 'unroutable'].includes(state.name);
}

function resultOf({ kind, state, record, deadline, taken }: SeenRequest): TonedEnd | string {
  switch (state.name) {
    case 'answered':
      return { word: 'ok', tone: 'good', after: '' };
    case 'failed':
      return { word: 'FAIL', tone: 'bad', after: ` ${failureText(state.failure)}` };
    case 'late':
      return { word: 'LATE', tone: 'doubtful', after: ` by ${state.at - (deadline ?? state.at)}ms` };
    case 'expired': {
      const by = taken ? `taken from '${taken.queue}' and not answered` : 'taken by nobody that was seen';
      return { word: 'DEADLINE', tone: 'bad', after: ` passed, ${by}` };
    }
    case 'unseen':
      return 'deadline passed; an answer may be among what was skipped';
    case 'unroutable':
      return { word: 'NOBODY', tone: 'bad', after: ': routed to no queue' };
    case 'waiting':
      return kind === 'fanout' && record.routed ? `fanout, queues: ${record.routed.length}` : kind;
  }
}

/** `arg="hi" n=12`, masked and cut. */
export function argumentsOf({ args }: Pick<SeenRequest, 'args'>): string {
  const pairs = Object.entries(maskedValue(args) as object).map(([key, value]) => `${key}=${stringifyJson(value)}`);
  const text = pairs.join(' ');
  return text.length <= LONGEST_ARGUMENTS ? text : `${text.slice(0, LONGEST_ARGUMENTS)}…`;
}

/** Of a time in milliseconds: `17:20:48.113`, UTC. */
export function clock(t: number): string {
  return new Date(t).toISOString().slice(11, 23);
}

function line(...[time, to, what, request, queue, server, result]: string[]): string {
  const cells = [time!.padEnd(12), to!.padEnd(20), what!.padEnd(36), request!.padEnd(SHORT_ID), queue!.padStart(7)];
  return `${[...cells, server!.padStart(7)].join('  ')}  ${result}`;
}
