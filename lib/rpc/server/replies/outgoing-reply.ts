import type { MessageOwner } from '../../../broker/broker.js';
import type { MalformedMessage } from '../../../errors/wire.errors.js';
import type { RequestFacts } from '../../../events/messaging-event.js';

/** The messages that make up an answer. */
export interface ReplyBodies {
  readonly body: string;
  /** Sent when the other has been taken. */
  readonly followedBy?: string;
}

/** One answer as the runner hands it over. */
export interface Reply extends ReplyBodies, Omit<RequestFacts, 'namespace'> {
  readonly replyQueue: string;
  readonly msgId: string;
  /** Of the request that it answers, as the other facts of it. */
  readonly namespace?: string | null;
  /** On the clock of `performance.now()`: when the caller has given up at the latest. */
  readonly giveUpAt: number;
}

/** Makes what to send in place of what the broker does not take. */
export type Substitute = (refusal: MalformedMessage) => ReplyBodies;

/** `leaving`: with the broker. `waiting`: its reply queue is missing. `ended`: taken, or given up. */
type ReplyState = 'ended' | 'leaving' | 'waiting';

/** One answer on its way. */
export class OutgoingReply implements MessageOwner {
  private state: ReplyState = 'leaving';

  constructor(
    readonly reply: Reply,
    /** Used once at most; it keeps the request with its arguments, so it is let go at the end. */
    public substitute: Substitute | undefined,
    private readonly onMissing: (reply: OutgoingReply) => void,
  ) {}

  get ended(): boolean {
    return this.state === 'ended';
  }

  get isLeaving(): boolean {
    return this.state === 'leaving';
  }

  get isWaiting(): boolean {
    return this.state === 'waiting';
  }

  routed(isRouted: boolean): void {
    if (isRouted || this.state !== 'leaving') return;
    this.state = 'waiting';
    this.onMissing(this);
  }

  end(): void {
    this.state = 'ended';
    this.substitute = undefined;
  }
}
