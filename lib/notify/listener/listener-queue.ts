import type { EventChannel } from '../../events/event-channel.js';
import { runAround, type AroundHook, type HookedMessage } from '../../events/around-hook.js';
import { inHandlerScope } from '../../events/handler-scope.js';
import { isThenable } from '../../events/is-thenable.js';
import { textWithCause } from '../../errors/text-of.js';
import { shown } from '../../wire/shown.js';
import { NotificationResult } from './incoming-notification.js';
import type { ListenerOutcome, ListenerTurn } from './held-notification.js';
import type { NotificationListenerEntry } from './notification-registration.js';

/** Counters of all queues together. */
export interface LaneCounters {
  /** Notifications that a listener has dealt with. */
  handled: number;
  /** Those that a listener failed at. */
  failed: number;
}

/** Parts of the listener that its queues need. */
export interface LaneParts {
  readonly events: EventChannel;
  readonly hooks: readonly AroundHook[];
  readonly bus: HookedMessage['bus'];
  readonly counters: LaneCounters;
}

/** Runs one listener on what comes to it from one queue: in order, as many at a time as it allows. */
export class ListenerQueue {
  private waiting: (readonly ListenerTurn[])[] = [];
  private busy = 0;
  private state: 'filling' | 'resting' = 'resting';

  constructor(
    private readonly entry: NotificationListenerEntry,
    private readonly parts: LaneParts,
  ) {}

  /** One turn, or those of a batch. Never throws. */
  push(turns: readonly ListenerTurn[]): void {
    const last = this.waiting.at(-1) ?? [];
    // Batches that ran out of time while the listener was busy are handed over as one.
    if (last.length > 0 && last.length + turns.length <= (this.entry.batch?.size ?? 1)) {
      this.waiting[this.waiting.length - 1] = [...last, ...turns];
    } else {
      this.waiting.push(turns);
    }
    this.fill();
  }

  /** Takes back what has not begun and fits. */
  take(match: (turn: ListenerTurn) => boolean): ListenerTurn[] {
    const taken: ListenerTurn[] = [];
    this.waiting = this.waiting.flatMap((turns) => {
      taken.push(...turns.filter((turn) => match(turn)));
      const left = turns.filter((turn) => !match(turn));
      return left.length > 0 ? [left] : [];
    });
    return taken;
  }

  /** A handler may end at once, and be followed by the next, thousands of times: a loop, not a recursion. */
  private fill(): void {
    if (this.state === 'filling') return;
    this.state = 'filling';
    while (this.busy < this.entry.concurrency) {
      const turns = this.waiting.shift();
      if (!turns) break;
      this.start(turns);
    }
    this.state = 'resting';
  }

  private start(turns: readonly ListenerTurn[]): void {
    this.busy += 1;
    for (const { held } of turns) held.start();
    const end = (outcome: ListenerOutcome): void => {
      this.busy -= 1;
      for (const turn of turns) this.endOne(turn, outcome);
      this.fill();
    };
    const fail = (error: unknown): void => {
      this.report(turns, error);
      end({ requeue: true, error });
    };
    let result: unknown;
    try {
      result = this.invoke(turns);
    } catch (error) {
      return fail(error);
    }
    if (!isThenable(result)) return end({ requeue: result === NotificationResult.REQUEUE });
    // A foreign promise may call back twice, or throw after it has.
    void Promise.resolve(result).then((value) => end({ requeue: value === NotificationResult.REQUEUE }), fail);
  }

  private invoke(turns: readonly ListenerTurn[]): unknown {
    const { hooks } = this.parts;
    const [first] = turns;
    const given = this.entry.batch ? turns.map(({ notification }) => notification) : first!.notification;
    const call = (): unknown => this.entry.handler(given as never);
    // A batch has more than one.
    const inContext = this.entry.batch ? undefined : first!.held.delivery.inContext;
    if (hooks.length === 0) return inHandlerScope(call, inContext);
    const message = this.hooked(first!);
    if (this.entry.batch) message.batch = [message, ...turns.slice(1).map((turn) => this.hooked(turn))];
    return inHandlerScope(() => runAround(hooks, 'aroundProcess', message, call), inContext);
  }

  private hooked({ held, notification }: ListenerTurn): HookedMessage {
    const { origin, eventType, priority, publisherId, messageId, uniqueId, requestContext } = notification;
    const { exchange, routingKey } = origin;
    return {
      kind: 'notification',
      bus: this.parts.bus,
      exchange,
      routingKey,
      target: { exchange, topic: topicOf(routingKey, priority) },
      method: eventType,
      uniqueId,
      eventType,
      priority,
      publisherId,
      messageId,
      context: { ...(held.received.sentContext ?? requestContext) },
    };
  }

  private endOne(turn: ListenerTurn, outcome: ListenerOutcome): void {
    const wanted = outcome.requeue || turn.notification.requeueWanted;
    this.parts.counters[outcome.error === undefined ? 'handled' : 'failed'] += 1;
    turn.ended({ requeue: wanted, error: outcome.error });
  }

  private report(turns: readonly ListenerTurn[], error: unknown): void {
    const { eventType, messageId } = turns[0]!.notification;
    const one = `${shown(eventType)} (message ${shown(messageId)})`;
    const what = turns.length === 1 ? one : `a batch of ${turns.length}`;
    const message = `${this.entry.name} failed at ${what}: ${shown(textWithCause(error), 1000)}`;
    const method = this.entry.name;
    this.parts.events.emit({
      type: 'handler-failed',
      level: 'error',
      message,
      error,
      method,
      expected: false,
      isCall: false,
    });
  }
}

/** A notification is sent to `<topic>.<priority>`. */
function topicOf(routingKey: string, priority: string): string {
  return routingKey.endsWith(`.${priority}`) ? routingKey.slice(0, -priority.length - 1) : routingKey;
}
