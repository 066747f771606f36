import type { RecordedAnswer, ReplayStep } from '../../observe/traffic/replay-plan.js';
import type { Difference } from '../../observe/traffic/structural-diff.js';
import { describeTarget } from '../../wire/target.js';
import { stringifyJson } from '../../wire/json/json.js';
import { maskedValue } from '../../wire/masked-value.js';
import { failureText, shownMs } from '../output.js';
import type { TonedLine } from '../tone.js';
import type { ReplayOutcome } from './replay-run.js';

const LONGEST_VALUE = 60;

/** One message of a plan, as a line for people. */
export function stepLine(step: ReplayStep): string {
  const mark = step.isMasked ? '  (secrets masked)' : '';
  return `${headOf(step)}${mark}`;
}

/** The same when it was sent. */
export function outcomeLine(step: ReplayStep, outcome: ReplayOutcome, elapsedMs: number): TonedLine {
  const { word, tone, after } = resultOf(outcome);
  return { before: `${headOf(step)}  `, word, tone, after: `${after}  ${shownMs(elapsedMs)}` };
}

export function differenceLine({ path, ...pair }: Difference): string {
  const side = (name: 'now' | 'recorded'): string => (name in pair ? short(pair[name]) : 'absent');
  return `    ${path.length === 0 ? '(answer)' : path.join('.')}: recorded ${side('recorded')}, now ${side('now')}`;
}

/** A message of a plan as data. */
export function stepData(step: ReplayStep): object {
  const { n, kind, afterMs, recordedId, isMasked, exchange } = step;
  const { request_id: requestId } = step.context;
  const content =
    step.kind === 'notification'
      ? { topic: step.topic, priority: step.priority, eventType: step.eventType, payload: step.payload }
      : { target: step.target, method: step.method, args: step.args };
  return {
    n,
    kind,
    afterMs,
    exchange,
    ...content,
    ...(typeof requestId === 'string' && { requestId }),
    masked: isMasked,
    recorded: { id: recordedId, ...('answer' in step && step.answer && answerData(step.answer)) },
  };
}

export function outcomeData(outcome: ReplayOutcome, elapsedMs: number): object {
  const { name, ...rest } = outcome;
  return { outcome: name, elapsedMs: Math.round(elapsedMs * 10) / 10, ...rest };
}

function answerData({ name, afterMs, ...rest }: RecordedAnswer): object {
  return { outcome: name, elapsedMs: afterMs, ...rest };
}

function headOf(step: ReplayStep): string {
  const at = shownMs(step.afterMs).padStart(9);
  return `${at}  ${step.kind.padEnd(12)}  ${destinationOf(step).padEnd(28)}  ${whatOf(step).padEnd(36)}  x-${step.recordedId.slice(0, 8)}`;
}

function destinationOf(step: ReplayStep): string {
  if (step.kind === 'notification') return `${step.exchange}/${step.topic}.${step.priority}`;
  return describeTarget(step.target);
}

function whatOf(step: ReplayStep): string {
  if (step.kind === 'notification') return step.eventType;
  const { namespace, version } = step.target;
  return `${namespace ? `${namespace}.` : ''}${step.method} v${version} ${short(step.args)}`;
}

function resultOf(outcome: ReplayOutcome): Omit<TonedLine, 'before'> {
  switch (outcome.name) {
    case 'answered':
      return { word: 'ok', tone: 'good', after: '' };
    case 'sent':
      return { word: 'sent', tone: 'good', after: '' };
    case 'failed':
      return { word: 'FAIL', tone: 'bad', after: ` ${failureText(outcome.failure)}` };
    case 'nobody':
      return { word: 'NOBODY', tone: 'bad', after: ': routed to no queue' };
    case 'timeout':
      return { word: 'TIMED OUT', tone: 'bad', after: `: ${outcome.reason}` };
    case 'interrupted':
      return { word: 'no answer', tone: 'doubtful', after: ' until it was interrupted' };
    case 'not sent':
      return { word: 'NOT SENT', tone: 'bad', after: `: ${outcome.reason}` };
  }
}

function short(value: unknown): string {
  const text = stringifyJson(maskedValue(value));
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
}
