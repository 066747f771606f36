import type { MessageBroker } from '../../../broker/broker.js';
import { MessageUndeliverable } from '../../../errors/delivery.errors.js';
import { MessagingTimeout } from '../../../errors/rpc.errors.js';
import { MalformedMessage } from '../../../errors/wire.errors.js';
import type { EventChannel } from '../../../events/event-channel.js';
import { shown } from '../../../wire/shown.js';
import { describeRequest, requestFacts } from '../../request-facts.js';
import { OutgoingReply, type Reply, type Substitute } from './outgoing-reply.js';
import { ReplyBacklog } from './reply-backlog.js';

/**
 * Hands answers over. The broker goes on trying while a reply queue is missing, as a client that reconnects declares it
 * anew; no handler slot waits for that.
 *
 * Mirrors `_send_reply` of Python's incoming message.
 */
export class ReplySender {
  /** Tells whether answers leave. */
  readonly backlog: ReplyBacklog;
  private readonly unsettled = new Set<OutgoingReply>();
  private readonly whenIdle = new Set<() => void>();
  private state: 'closed' | 'open' = 'open';
  /** One for all answers. */
  private readonly onMissing = (outgoing: OutgoingReply): void => {
    this.backlog.remove(outgoing);
    if (this.state === 'closed') this.drop(outgoing, 'its reply queue is missing, and the server stopped');
  };

  constructor(
    private readonly broker: MessageBroker,
    private readonly events: EventChannel,
  ) {
    this.backlog = new ReplyBacklog(broker);
  }

  /** Resolves to true when the broker has it. Never rejects: what cannot be handed over is reported. */
  send(reply: Reply, substitute?: Substitute): Promise<boolean> {
    return this.publish(new OutgoingReply(reply, substitute, this.onMissing));
  }

  /** Resolves when every answer has been handed over or given up. */
  settled(): Promise<void> {
    return this.unsettled.size === 0 ? Promise.resolve() : new Promise((resolve) => void this.whenIdle.add(resolve));
  }

  /** Gives up what still waits for a missing queue, and waits for none from now on. */
  close(): void {
    this.state = 'closed';
    for (const outgoing of this.unsettled) if (outgoing.isWaiting) this.drop(outgoing, 'the server stopped');
  }

  private async publish(outgoing: OutgoingReply): Promise<boolean> {
    const { replyQueue: routingKey, body, giveUpAt } = outgoing.reply;
    const giveUpMs = Math.max(1, Math.ceil(giveUpAt - performance.now()));
    this.unsettled.add(outgoing);
    this.backlog.add(outgoing);
    try {
      const purpose = 'owed';
      await this.broker.publish({
        exchange: '',
        routingKey,
        awaitQueue: true,
        purpose,
        body,
        giveUpMs,
        owner: outgoing,
      });
      // Given up meanwhile, and reported.
      if (outgoing.ended) return false;
      this.follow(outgoing.reply);
      this.settle(outgoing);
      return true;
    } catch (error) {
      this.failed(outgoing, error as Error);
      return false;
    }
  }

  /** Before the other ends: else nothing would be left to wait for. */
  private follow({ followedBy, ...reply }: Reply): void {
    if (followedBy !== undefined) void this.send({ ...reply, body: followedBy });
  }

  private failed(outgoing: OutgoingReply, failure: Error): void {
    const { reply, substitute } = outgoing;
    if (outgoing.ended) return;
    if (substitute && failure instanceof MalformedMessage) {
      // Before the other ends: else nothing would be left to wait for.
      void this.send({ ...reply, ...substitute(failure) });
      this.settle(outgoing);
    } else if (outgoing.isWaiting && failure instanceof MessagingTimeout) {
      this.drop(outgoing, 'its reply queue is missing');
    } else {
      this.drop(outgoing, shown(String(failure), 1000), failure instanceof MessageUndeliverable ? undefined : failure);
    }
  }

  private drop(outgoing: OutgoingReply, reason: string, error?: unknown): void {
    const { reply } = outgoing;
    const { replyQueue, msgId } = reply;
    this.settle(outgoing);
    const what = `The answer to ${describeRequest(reply)} was not delivered to ${shown(replyQueue)}`;
    const message = `${what}: ${reason} (message ${shown(msgId)})`;
    this.events.emit({
      type: 'reply-dropped',
      level: 'warn',
      message,
      ...requestFacts(reply),
      replyQueue,
      msgId,
      error,
    });
  }

  private settle(outgoing: OutgoingReply): void {
    if (!this.unsettled.delete(outgoing)) return;
    if (outgoing.isLeaving) this.backlog.remove(outgoing);
    outgoing.end();
    if (this.unsettled.size > 0) return;
    for (const wake of this.whenIdle) wake();
    this.whenIdle.clear();
  }
}
