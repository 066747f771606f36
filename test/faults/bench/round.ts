import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import { now } from './clock.js';
import { type Fault, type Injected, PATIENCE } from './fault.js';
import { doneAt, Ledger } from './ledger.js';
import { CALL_TIMEOUT, type Scene } from './scene.js';
import { changes, type Standing } from './standing.js';
import { type Tally, tallyOf } from './tally.js';

/** What one injection of a fault has shown. */
export interface RoundResult {
  fault: string;
  tally: Tally;
  /** Until every kind of work was done again. */
  recoveryMs?: number;
  noticedMs?: number;
  /** Claims that did not hold. */
  violations: string[];
  /** What the broker alone has to answer for. */
  notes: string[];
  /** What was reported meanwhile, and why calls failed. */
  story: string;
}

/** A timer of a process that shares its processor with the others may be so late. */
const DEADLINE_SLACK_MS = 1_000;
const RECOVERY_LIMIT_MS = 40_000;
const STANDING_LIMIT_MS = 20_000;
const WARM_UP_MS = 400;

/** One fault, injected once into a scene at work. */
export class Round {
  private readonly ledger = new Ledger();
  private readonly violations: string[] = [];
  private readonly notes: string[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly fault: Fault,
  ) {}

  async run(): Promise<RoundResult> {
    const { scene, fault } = this;
    scene.read();
    await scene.caller.tell('go');
    const start = now();
    await this.working(start, start);
    await delay(WARM_UP_MS);
    const before = await scene.standing();
    const injected = await fault.inject(scene);
    const recoveryMs = await this.working(injected.since, injected.hitFrom);
    await fault.repair?.(scene);
    await this.standingAgain(before);
    await this.stopWork();
    const judged = this.judged(injected, recoveryMs);
    const story = `${this.reports(injected.since)}\n  ${this.failures()}`;
    return { ...judged, fault: fault.name, violations: this.violations, notes: this.notes, story };
  }

  /** Waits until each kind of work that was sent from `hitFrom` on is done again; how long after `since` that was. */
  private async working(since: number, hitFrom: number): Promise<number | undefined> {
    const servers = this.scene.services.size;
    const lanesDone = (): number | undefined => {
      this.ledger.add(this.scene.read());
      const firsts = this.ledger.lanes.map((lane) => this.firstDone(lane, hitFrom, servers));
      return firsts.length > 0 && Math.max(...firsts) < Infinity ? Math.max(...firsts) - since : undefined;
    };
    return eventually(lanesDone, 'work being done again', RECOVERY_LIMIT_MS).catch(() => {
      this.violations.push(
        `no recovery within ${RECOVERY_LIMIT_MS} ms of: ${this.stillLost(hitFrom, servers).join(', ')}\n  ${this.reports(since)}`,
      );
      return undefined;
    });
  }

  private firstDone(lane: string, hitFrom: number, servers: number): number {
    let first = Infinity;
    for (const item of this.ledger.items.values()) {
      if (item.sent.lane === lane && item.sent.at >= hitFrom)
        first = Math.min(first, doneAt(item, servers) ?? Infinity);
    }
    return first;
  }

  private stillLost(hitFrom: number, servers: number): string[] {
    return this.ledger.lanes.filter((lane) => this.firstDone(lane, hitFrom, servers) === Infinity);
  }

  private async standingAgain(before: Standing): Promise<void> {
    let difference: string[] = [];
    const same = async (): Promise<boolean> => {
      difference = changes(before, await this.scene.standing());
      return difference.length === 0;
    };
    await eventually(same, 'the same queues, bindings and consumers', STANDING_LIMIT_MS).catch((error: unknown) => {
      const why = difference.length > 0 ? difference.join('\n  ') : String(error);
      this.violations.push(`not the same queues, bindings and consumers as before:\n  ${why}`);
    });
  }

  private async stopWork(): Promise<void> {
    const limitMs = CALL_TIMEOUT * 1_000 + 2 * DEADLINE_SLACK_MS;
    const late = Symbol('late');
    const ended = await Promise.race([this.scene.caller.tell('pause'), delay(limitMs, late, { ref: false })]);
    await this.drained();
    // What a lost connection held comes again when the broker has noticed. If it does not, the tally tells.
    await eventually(() => this.allHeard(), 'all notifications being heard', STANDING_LIMIT_MS).catch(() => undefined);
    if (ended !== late) return;
    const pending = [...this.ledger.items.values()].filter((item) => item.ended === undefined);
    const lanes = new Set(pending.map(({ sent }) => sent.lane));
    this.violations.push(`${pending.length} promises are still pending (${[...lanes].join(', ')})`);
  }

  private async drained(): Promise<void> {
    try {
      const note = await this.scene.drained();
      if (note !== undefined) this.notes.push(note);
    } catch (error) {
      this.violations.push(String(error));
    }
  }

  private allHeard(): boolean {
    this.ledger.add(this.scene.read());
    return tallyOf(this.ledger).notificationsLost === 0;
  }

  private judged(
    { since, brokenAt = since }: Injected,
    recoveryMs: number | undefined,
  ): Pick<RoundResult, 'noticedMs' | 'recoveryMs' | 'tally'> {
    const { claims } = this.fault;
    const tally = tallyOf(this.ledger);
    const noticedMs = claims.noticedWithinMs === undefined ? undefined : this.noticedAfter(brokenAt);
    this.claimWithin('recovered', recoveryMs, claims.recoversWithinMs);
    this.claimWithin('noticed', noticedMs, claims.noticedWithinMs);
    this.claimNone(tally.unexplainedTwice, 'requests ran twice, neither published again nor redelivered');
    this.claimNone(tally.notificationsLost, 'confirmed notifications were lost');
    if (claims.answersAll) this.claimNone(tally.calls - tally.answered, `calls were not answered: ${this.failures()}`);
    if (claims.runsOnce) this.claimNone(tally.redeliveredTwice + tally.republishedTwice, 'requests ran twice');
    this.claimDeadlines();
    for (const { who, text } of this.ledger.crashes) this.violations.push(`${who}: ${text}`);
    for (const one of this.scene.participants) {
      if (!one.running) this.violations.push(`${one.name} has ended: ${one.ending}`);
    }
    return { tally, recoveryMs, noticedMs };
  }

  private noticedAfter(since: number): number | undefined {
    const lost = this.ledger.events.find(({ at, to }) => to === 'disconnected' && at >= since);
    return lost && lost.at - since;
  }

  private claimWithin(what: string, measured: number | undefined, promisedMs: number | undefined): void {
    if (promisedMs === undefined) return;
    if (measured === undefined) this.violations.push(`never ${what}`);
    else if (measured > promisedMs * PATIENCE) {
      this.violations.push(`${what} after ${Math.round(measured)} ms, promised are ${promisedMs} ms`);
    }
  }

  private claimNone(count: number, what: string): void {
    if (count > 0) this.violations.push(`${count} ${what}`);
  }

  private claimDeadlines(): void {
    const limit = CALL_TIMEOUT * 1_000 + DEADLINE_SLACK_MS + (this.fault.claims.callerBlockedMs ?? 0);
    const overdue = this.ledger
      .of('call')
      .filter(({ sent, ended }) => ended !== undefined && ended.at - sent.at > limit);
    this.claimNone(overdue.length, 'calls ended after their deadline');
    const wrong = this.ledger.of('call').filter(({ ended }) => ended?.outcome === 'wrong');
    this.claimNone(wrong.length, 'calls got the answer of another');
    const foreign = [...this.ledger.items.values()].filter(({ ended }) => ended?.code === 'FOREIGN');
    this.claimNone(foreign.length, `errors that are not the library's: ${foreign[0]?.ended?.text}`);
  }

  /** What the processes have said, each thing once with the last time. */
  private reports(since: number): string {
    const last = new Map(
      this.ledger.events.map(({ at, who, text }) => [withoutIds(`${who}: ${text}`), Math.round(at - since)]),
    );
    return [...last].map(([text, at]) => `${at} ms ${text}`).join('\n  ');
  }

  private failures(): string {
    const texts = this.ledger.of('call').flatMap(({ sent, ended, ran }) => {
      if (ended?.outcome !== 'failed') return [];
      return [withoutIds(`${sent.lane} (${ended.clear ? 'clear' : 'unknown'}, ran ${ran.length}): ${ended.text}`)];
    });
    return [...new Set(texts)].slice(0, 8).join('\n  ');
  }
}

function withoutIds(text: string): string {
  return text.replaceAll(/[0-9a-f]{32}/g, '…').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…');
}
