import type { MessageBroker, Delivery, Subscription } from '../../../broker/broker.js';
import { ClosedError, MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { TimeoutDiagnosis } from '../../../errors/timeout-diagnosis.js';
import { EventChannel } from '../../../events/event-channel.js';
import { within } from '../../../events/within.js';
import type { IntegerReading } from '../../../wire/json/json.js';
import { openEnvelope } from '../../../wire/envelope.js';
import { decodeReply, isHeartbeat, type RpcReply } from '../../../wire/rpc/rpc-reply.js';
import { replyQueueTopology } from '../../../wire/topology.js';
import { QueueNames } from '../../queue-names.js';
import { diagnose } from '../call-diagnosis.js';
import { EndedCalls } from './ended-calls.js';
import { OutageLog } from '../outage-log.js';
import type { ReplyCounters } from './reply-counters.js';
import { ReplyQueueOpening } from './reply-queue-opening.js';
import type { CallKeeper, PendingCall } from '../pending-call.js';
import { TargetInspections, type TargetInspection } from '../target-inspections.js';
import { UnmatchedReplies } from './unmatched-replies.js';

/** Time for the broker to agree to a goodbye. */
const GOODBYE_MS = 2000;

/** More rejections than these say no more. */
const REMEMBERED_REJECTIONS = 100;

/**
 * `idle`: no call has needed the queue yet. `opening`: it is to be consumed. `open`: replies can be received; when the
 * last client has gone the queue is left as it is.
 */
type InboxState =
  | { readonly name: 'idle' | 'opening' }
  | { readonly name: 'open'; readonly subscription: Subscription }
  | { readonly name: 'released' };

const inboxes = new WeakMap<MessageBroker, Map<IntegerReading, ReplyInbox>>();

/**
 * The one reply queue of a broker, shared by its clients: replies find their call by `_msg_id`.
 *
 * Mirrors `ReplyWaiters` with `RPCReplyListener`; unlike Python's, it wakes a call at the delivery
 * and deletes its queue when it is closed with nothing outstanding.
 */
export class ReplyInbox implements CallKeeper {
  private readonly names: QueueNames;
  private replyQueue: string;
  /** Hears of the broker; what the inbox itself reports is news to every client on it. */
  private readonly events: EventChannel;
  readonly counters: ReplyCounters = {
    replies: 0,
    heartbeats: 0,
    lateReplies: 0,
    unknownReplies: 0,
    repeatedReplies: 0,
    malformedReplies: 0,
  };
  private readonly pending = new Map<string, PendingCall>();
  private readonly ended = new EndedCalls();
  /** When messages on our queue were rejected unread. */
  private readonly rejectedAt: number[] = [];
  private readonly unmatched: UnmatchedReplies;
  private readonly inspections: TargetInspections;
  private readonly outages: OutageLog;
  private readonly stopListening: () => void;
  private readonly opening: ReplyQueueOpening;
  private state: InboxState = { name: 'idle' };
  private clients = 0;

  private constructor(
    private readonly broker: MessageBroker,
    private readonly integers: IntegerReading,
  ) {
    this.events = broker.events.scope();
    this.names = new QueueNames(broker.options);
    this.replyQueue = this.names.ofReplies();
    this.unmatched = new UnmatchedReplies(broker.events, this.counters, this.ended);
    this.opening = new ReplyQueueOpening(this.events);
    this.inspections = new TargetInspections(broker);
    this.outages = new OutageLog(broker, this.events, (queue) => queue === this.replyQueue);
    this.stopListening = this.events.watch((event) => {
      if (event.type === 'message-rejected' && event.queue === this.queue) this.noteRejected();
      if (broker.state === 'closed') this.close('broker');
    });
  }

  /** The inbox of a broker, made when the first client asks for it; each client releases it once. */
  static acquire(broker: MessageBroker, integers: IntegerReading): ReplyInbox {
    const ofBroker = inboxes.get(broker) ?? new Map<IntegerReading, ReplyInbox>();
    inboxes.set(broker, ofBroker);
    const inbox = ofBroker.get(integers) ?? new ReplyInbox(broker, integers);
    ofBroker.set(integers, inbox);
    inbox.clients += 1;
    return inbox;
  }

  /** The reply queue of calls from now on. */
  get queue(): string {
    return this.replyQueue;
  }

  /** True when replies can be received without waiting for anything. */
  get isOpen(): boolean {
    return this.state.name === 'open';
  }

  /** True when replies come in right now; null: no call has needed any yet. */
  get isConsuming(): boolean | null {
    if (this.state.name === 'idle') return null;
    return this.state.name === 'open' && this.state.subscription.consuming;
  }

  get pendingCalls(): number {
    return this.pending.size;
  }

  /** Tells when replies can be received, or that after `retry` more failed connection attempts than one they cannot. */
  whenOpen(retry: number, told: (error?: unknown) => void): () => void {
    const stop = this.opening.wait(retry, told);
    if (this.state.name === 'idle') void this.consume();
    return stop;
  }

  /** @throws MessageDeliveryFailure as many calls wait as may */
  requireRoom(): void {
    const { maxPendingCalls } = this.broker.options;
    if (this.pending.size < maxPendingCalls) return;
    throw new MessageDeliveryFailure(`${maxPendingCalls} calls wait for their answers already (maxPendingCalls)`);
  }

  expect(call: PendingCall): void {
    this.pending.set(call.facts.msgId, call);
  }

  forget(call: PendingCall, answerMayCome: boolean): void {
    this.pending.delete(call.facts.msgId);
    if (!answerMayCome) return this.unmatched.expectRepetition(call.facts.msgId);
    this.ended.add(call.facts, call.diagnosis);
  }

  inspection({ facts }: PendingCall): TargetInspection {
    return this.inspections.inspection(facts.exchange, facts.queue);
  }

  diagnose({
    facts,
    confirmed,
    isUnrouted,
    waitsFor,
    lastHeartbeatMsAgo,
    inspection,
    startedAt,
  }: PendingCall): TimeoutDiagnosis {
    return diagnose({
      exchange: facts.exchange,
      queue: facts.queue,
      waitedFor: waitsFor,
      confirmed,
      isUnrouted,
      lastHeartbeatMsAgo,
      brokerState: this.broker.state,
      lastFailure: this.broker.lastFailure,
      replyQueueAlive: this.isConsuming === true && facts.replyQueue === this.queue,
      rejectedReplies: this.rejectedAt.filter((at) => at >= startedAt).length,
      seen: inspection?.seen,
      inspectionFailure: inspection?.failure,
      inspectedForMs: inspection && Math.round(performance.now() - inspection.begunAt),
      outages: this.outages.since(startedAt),
    });
  }

  /** It was unreadable here, or where it was delivered. */
  private noteRejected(): void {
    this.counters.malformedReplies += 1;
    this.rejectedAt.push(performance.now());
    if (this.rejectedAt.length > REMEMBERED_REJECTIONS) this.rejectedAt.shift();
  }

  /** Ends the calls of a client. The last client to release the inbox closes it. */
  async release(client: object): Promise<void> {
    this.clients -= 1;
    this.close('client', (call) => call.owner === client);
    if (this.clients > 0) return;
    const { state } = this;
    this.state = { name: 'released' };
    inboxes.get(this.broker)?.delete(this.integers);
    this.stopListening();
    this.outages.close();
    if (state.name === 'open') await within(GOODBYE_MS, this.removeQueue(state.subscription));
    this.events.detach();
  }

  /** A server that answers into a missing queue loses a worker for a minute: it is left the queue until that expires. */
  private async removeQueue(subscription: Subscription): Promise<void> {
    await subscription.close();
    if (!this.names.keepReplyQueues && !this.isReplyOutstanding()) await this.broker.deleteQueue(this.queue);
  }

  /** A server goes on trying to hand over a reply for a bounded time. */
  private isReplyOutstanding(): boolean {
    const since = performance.now() - this.broker.options.kombuMissingConsumerRetryTimeout * 1000;
    return this.ended.hasAnySince(since);
  }

  /** The last client may have gone while a broker that was down was waited for. */
  private async consume(): Promise<void> {
    this.state = { name: 'opening' };
    const { queue } = this;
    try {
      const subscription = await this.broker.consume({
        topology: replyQueueTopology(queue, this.broker.options),
        queues: [queue],
        own: [queue],
        prefetch: 0,
        settledAtOnce: true,
        onDeliveries: (deliveries) => this.receive(deliveries),
        onRefused: (reason) => this.replaceQueue(queue, reason),
      });
      if (queue !== this.queue) return void subscription.close();
      if (this.isReleased) void this.removeQueue(subscription).catch(() => undefined);
      else this.state = { name: 'open', subscription };
      this.opening.ended();
    } catch (error) {
      if (queue !== this.queue) return;
      if (!this.isReleased) this.state = { name: 'idle' };
      this.opening.ended(error);
    }
  }

  /** Somebody else holds it, for as long as they like: what is called from now on is answered elsewhere. */
  private replaceQueue(replaced: string, reason: string): void {
    if (replaced !== this.queue || this.isReleased) return;
    this.replyQueue = this.names.ofReplies();
    const { queue } = this;
    if (this.state.name === 'open') void this.state.subscription.close();
    const message = `The reply queue ${replaced} is held by somebody else (${reason}); answers come to ${queue} from now on`;
    this.broker.events.emit({ type: 'reply-queue-replaced', level: 'error', message, queue, replaced });
    void this.consume();
  }

  private get isReleased(): boolean {
    return this.state.name === 'released';
  }

  private receive(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const reply = this.read(delivery);
      if (!reply) continue;
      delivery.ack();
      const call = this.pending.get(reply.msgId);
      if (call) this.count(reply, call);
      else this.unmatched.report(reply);
    }
  }

  private read(delivery: Delivery): RpcReply | undefined {
    try {
      const { maxMessageBytes: maxBytes, maxMessageValues: maxValues } = this.broker.options;
      const { contentType } = delivery.properties;
      return decodeReply(openEnvelope(delivery.body, { maxBytes, maxValues, integers: this.integers, contentType }));
    } catch (error) {
      delivery.reject(false);
      const message = `Rejected a reply that cannot be understood: ${String(error)}`;
      this.broker.events.emit({ type: 'message-rejected', level: 'warn', message, queue: this.queue, error });
      return undefined;
    }
  }

  private count(reply: RpcReply, call: PendingCall): void {
    this.counters[isHeartbeat(reply) ? 'heartbeats' : 'replies'] += 1;
    call.receive(reply);
  }

  /** Each call gets an error of its own: they show where they were made. */
  private close(what: string, isMeant: (call: PendingCall) => boolean = () => true): void {
    for (const call of [...this.pending.values()]) if (isMeant(call)) call.fail(new ClosedError(what));
  }
}
