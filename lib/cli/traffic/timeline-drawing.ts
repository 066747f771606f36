import { counted } from '../../errors/counted.js';
import type { Timeline, TimelineSpan } from '../../observe/traffic/request-timeline.js';
import { failureText, shownMs } from '../output.js';
import type { Line, TonedEnd } from '../tone.js';

/** Columns of what has no terminal. */
const PIPE_COLUMNS = 120;
const NARROWEST_BAR = 20;
const WIDEST_NAMES = 34;
/** Room for what stands behind a bar. */
const TAIL = 22;
/** One to seven eighths of a column. */
const EIGHTHS = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** One request as lines for people: a bar for each message, scaled to so many columns. */
export function timelineLines(timeline: Timeline, columns = PIPE_COLUMNS): Line[] {
  const { spans, durationMs, omitted } = timeline;
  if (spans.length === 0) return [`${timeline.requestId}  nothing was seen of it`];
  const names = spans.map((span) => nameCells(span));
  const widths = [0, 1].map((at) => Math.min(WIDEST_NAMES, Math.max(...names.map((cells) => cells[at]!.length))));
  const before = 2 + widths[0]! + 2 + widths[1]! + 2;
  const room = Math.max(NARROWEST_BAR, columns - before - TAIL);
  const end = shownMs(durationMs);
  return [
    headLine(timeline),
    `${' '.repeat(before)}0 ms${end.padStart(room - 4)}`,
    ...spans.map((span, at) => {
      const [to, what] = names[at]!;
      const mark = at === spans.length - 1 && omitted === 0 ? '└' : '├';
      const cells = [cut(to, widths[0]!).padEnd(widths[0]!), cut(what, widths[1]!).padEnd(widths[1]!)];
      const took = span.endMs === undefined ? '' : tookOf(span.endMs - span.startMs);
      const before = `${mark} ${cells.join('  ')}  ${barOf(span, durationMs, room)} ${took}`;
      const end = endTextOf(span);
      if (typeof end === 'string') return `${before}${end}`.trimEnd();
      return { before: took === '' ? before : `${before}  `, ...end };
    }),
    ...(omitted > 0 ? [`└ and ${omitted} more messages`] : []),
  ];
}

/** What happened, in one line. */
function headLine({ requestId, durationMs, spans }: Timeline): string {
  const count = (is: (span: TimelineSpan) => boolean): number => spans.filter(is).length;
  const counts: [number, string][] = [
    [count(({ kind }) => kind === 'call'), 'call'],
    [count(({ kind }) => kind === 'cast'), 'cast'],
    [count(({ kind }) => kind === 'fanout'), 'fanout'],
    [count(({ kind }) => kind === 'notification'), 'notification'],
  ];
  const troubles: [number, string][] = [
    [count(({ failure }) => failure !== undefined), 'failed'],
    [count(({ state }) => state === 'late'), 'late'],
    [count(({ state }) => state === 'expired'), 'not answered'],
    [count(({ state }) => state === 'unroutable'), 'to nobody'],
  ];
  const told = [
    ...counts.map(([n, what]) => (n === 0 ? '' : counted(n, what))),
    ...troubles.map(([n, what]) => (n === 0 ? '' : `${n} ${what}`)),
  ];
  return `${requestId}  ${[shownMs(durationMs), ...told.filter((text) => text !== '')].join(', ')}`;
}

function nameCells({ kind, topic, server, name, priority }: TimelineSpan): [string, string] {
  if (kind === 'notification') return [`✉ ${priority ?? ''}`.trimEnd(), name];
  return [`${topic}${server === undefined ? '' : `.${server}`}${kind === 'fanout' ? ' *' : ''}`, name];
}

/** `░` while it waits in the queue, `█` while a server has it, `┊` where its caller gives up. */
function barOf(span: TimelineSpan, durationMs: number, room: number): string {
  const { startMs, takenMs, deadlineMs } = span;
  const scale = durationMs === 0 ? 0 : room / durationMs;
  const end = endOf(span);
  const from = Math.min(room - 1, Math.floor(startMs * scale));
  const length = (end - startMs) * scale;
  const full = Math.min(room - from, Math.floor(length));
  const waited = takenMs === undefined ? full : Math.round((takenMs - startMs) * scale);
  const cells = Array.from({ length: room }, () => ' ');
  for (let at = 0; at < full; at++) cells[from + at] = at < waited ? '░' : '█';
  if (full === 0) cells[from] = EIGHTHS[Math.min(6, Math.floor(length * 8))]!;
  const isDeadlineSeen = deadlineMs !== undefined && (span.state === 'late' || span.state === 'expired');
  if (isDeadlineSeen) cells[Math.min(room - 1, Math.max(from, Math.floor(deadlineMs * scale)))] = '┊';
  return cells.join('');
}

function endOf({ startMs, takenMs, endMs, deadlineMs, state }: TimelineSpan): number {
  if (endMs !== undefined) return endMs;
  return state === 'expired' && deadlineMs !== undefined ? deadlineMs : (takenMs ?? startMs);
}

function endTextOf({ endMs, deadlineMs, failure, kind, queue, state }: TimelineSpan): TonedEnd | string {
  switch (state) {
    case 'answered':
      return '';
    case 'failed':
      return { word: 'FAIL', tone: 'bad', after: failure ? ` ${failureText(failure)}` : '' };
    case 'late': {
      const failed = failure ? `, FAIL ${failure.excType}` : '';
      return { word: 'LATE', tone: 'doubtful', after: ` by ${shownMs(endMs! - (deadlineMs ?? endMs!))}${failed}` };
    }
    case 'expired': {
      const by = queue === undefined ? 'taken by nobody that was seen' : `taken from '${queue}' and not answered`;
      return { word: 'DEADLINE', tone: 'bad', after: `, ${by}` };
    }
    case 'unseen':
      return 'no answer seen; it may be among what was skipped';
    case 'unroutable':
      return { word: 'NOBODY', tone: 'bad', after: ': routed to no queue' };
    case 'waiting':
      return 'no answer seen';
    case 'sent':
      return kind === 'notification' ? '' : kind;
  }
}

/** Records keep whole milliseconds. */
function tookOf(ms: number): string {
  return ms < 1 ? '<1 ms' : shownMs(ms);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** The same as data. */
export function timelineData({ at, durationMs, spans, omitted, requestId }: Timeline): object {
  return { requestId, ...(at !== undefined && { at: new Date(at).toISOString() }), durationMs, omitted, spans };
}
