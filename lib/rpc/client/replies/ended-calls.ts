import type { TimeoutDiagnosis } from '../../../errors/timeout-diagnosis.js';
import type { CallFacts } from '../pending-call.js';

/** How many unanswered calls are remembered, to recognise late replies. */
const REMEMBERED = 1_000;

/** A call that has ended without its answer. */
export interface EndedCall {
  readonly facts: CallFacts;
  readonly endedAt: number;
  /** The one of its error, which learns of a late answer. */
  readonly diagnosis: TimeoutDiagnosis | undefined;
}

/** The calls that an answer may still come for. */
export class EndedCalls {
  private readonly calls = new Map<string, EndedCall>();

  add(facts: CallFacts, diagnosis: TimeoutDiagnosis | undefined): void {
    this.calls.set(facts.msgId, { facts, endedAt: performance.now(), diagnosis });
    if (this.calls.size > REMEMBERED) this.calls.delete(this.calls.keys().next().value!);
  }

  take(msgId: string): EndedCall | undefined {
    const call = this.calls.get(msgId);
    this.calls.delete(msgId);
    return call;
  }

  /** True when one has ended after that moment on the clock of `performance.now()`. */
  hasAnySince(moment: number): boolean {
    for (const { endedAt } of this.calls.values()) if (endedAt > moment) return true;
    return false;
  }
}
