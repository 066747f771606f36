import type { EventChannel } from '../../../events/event-channel.js';
import { RecentIds } from '../../../wire/recent-ids.js';
import { isHeartbeat, type RpcReply } from '../../../wire/rpc/rpc-reply.js';
import { shown } from '../../../wire/shown.js';
import type { EndedCall, EndedCalls } from './ended-calls.js';
import type { ReplyCounters } from './reply-counters.js';

/** Servers, ours and Python's, go on trying to hand over an answer for a minute. */
const REPETITION_MS = 60_000;
const REMEMBERED_ANSWERS = 1_000;

/** Counts, and where it is news tells, replies whose call is not waiting. */
export class UnmatchedReplies {
  private readonly answered = new RecentIds(REPETITION_MS, REMEMBERED_ANSWERS);

  constructor(
    private readonly events: EventChannel,
    private readonly counters: ReplyCounters,
    private readonly ended: EndedCalls,
  ) {}

  /** A call has its answer: another one to it is no news. */
  expectRepetition(msgId: string): void {
    this.answered.add(msgId);
  }

  /** Heartbeats that go on after their call are a known habit of Python servers, and no news. */
  report(reply: RpcReply): void {
    if (isHeartbeat(reply)) {
      this.counters.heartbeats += 1;
      return;
    }
    const { msgId } = reply;
    const call = this.ended.take(msgId);
    if (call) this.reportLate(call);
    else if (this.answered.has(msgId)) this.counters.repeatedReplies += 1;
    else this.reportUnknown(msgId);
  }

  private reportUnknown(msgId: string): void {
    this.counters.unknownReplies += 1;
    const message = `A reply came for a call that is not waiting: message ${shown(msgId)}`;
    this.events.emit({ type: 'reply-unmatched', reason: 'unknown', level: 'warn', message, msgId });
  }

  private reportLate({ facts, endedAt, diagnosis }: EndedCall): void {
    const { msgId, method, target } = facts;
    this.counters.lateReplies += 1;
    const lateByMs = Math.round(performance.now() - endedAt);
    if (diagnosis) diagnosis.answeredLateByMs = lateByMs;
    const message = `The reply to ${method} of ${target} came ${lateByMs} ms after its call had ended (message ${msgId})`;
    const late = { reason: 'late', msgId, method, target, lateByMs } as const;
    this.events.emit({ type: 'reply-unmatched', level: 'warn', message, ...late });
  }
}
