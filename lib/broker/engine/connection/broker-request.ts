import type { ChannelObserver, Link, LinkChannel } from '../../link.js';
import { replyCode } from './reply-codes.js';

/** How long the broker is waited for. */
export interface AnswerTimeout {
  timeoutMs: number;
  /** True when a missing answer is no surprise now: then it is waited for once more. */
  excused(): boolean;
}

/** The broker answers others, but not this: a queue whose process hangs holds up each channel that asks for it. */
export class NoAnswer extends Error {
  constructor(what: string) {
    super(`the broker does not answer: ${what}`);
  }
}

/** While something goes on, its answer is only behind. */
export function whileMoving(count: () => number, timeout: AnswerTimeout): AnswerTimeout {
  let seen = count();
  const excused = (): boolean => {
    const before = seen;
    seen = count();
    return seen !== before || timeout.excused();
  };
  return { ...timeout, excused };
}

/** The answer, within its time. @throws NoAnswer */
export function answerWithin<T>(timeout: AnswerTimeout, what: string, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (!timeout.excused()) reject(new NoAnswer(what));
    };
    // Frames that arrived while this process was busy are read before immediates run.
    const timer = setInterval(() => setImmediate(check), timeout.timeoutMs);
    answer.then(resolve, reject).finally(() => clearInterval(timer));
  });
}

/** True when an answer comes in time; a refusal is one. */
export async function isAnswered(timeout: AnswerTimeout, what: string, answer: Promise<unknown>): Promise<boolean> {
  try {
    await answerWithin(timeout, what, answer);
    return true;
  } catch (error) {
    return !(error instanceof NoAnswer);
  }
}

/** A channel, opened within its time; one that opens later is closed. @throws NoAnswer */
export async function openWithin(
  timeout: AnswerTimeout,
  link: Link,
  observer: ChannelObserver,
  options?: { confirms: boolean },
): Promise<LinkChannel> {
  const opened = link.openChannel(observer, options);
  try {
    return await answerWithin(timeout, 'open a channel', opened);
  } catch (error) {
    if (error instanceof NoAnswer) opened.then((late) => late.close()).catch(() => undefined);
    throw error;
  }
}

const ignore = (): void => undefined;

/**
 * Asks the broker for what it may refuse: a refusal closes the channel it came by, and here that takes neither
 * unconfirmed messages nor consumers along. Opened when needed, one request at a time.
 *
 * A request that is not answered in time is left behind with its channel, and the next goes on with another.
 */
export class RequestChannel {
  private channel: Promise<LinkChannel> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private readonly unanswered = new Set<string>();

  constructor(
    private readonly link: Link,
    private readonly timeout: AnswerTimeout,
  ) {}

  /**
   * `what`, in words: while it has no answer the same is not asked again, which would cost a channel each time.
   *
   * @throws NoAnswer @throws BrokerRefusal
   */
  ask<T>(what: string, request: (channel: LinkChannel) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.attempt(what, request));
    this.last = result.catch(ignore);
    return result;
  }

  private async attempt<T>(what: string, request: (channel: LinkChannel) => Promise<T>): Promise<T> {
    if (this.unanswered.has(what)) throw new NoAnswer(what);
    const opened = this.opened();
    let attempt: 'left' | 'running' = 'running';
    const answer = opened.then((channel) => {
      if (attempt === 'left') throw new NoAnswer(what);
      return request(channel);
    });
    try {
      return await answerWithin(this.timeout, what, answer);
    } catch (error) {
      attempt = 'left';
      if (error instanceof NoAnswer) this.leave(what, opened, answer);
      // A request that could not be written (a name that is too long) leaves the channel waiting for an answer, for ever.
      else if (replyCode(error) === undefined) this.leave(what, opened, Promise.resolve());
      else this.forget(opened);
      throw error;
    }
  }

  private leave(what: string, opened: Promise<LinkChannel>, answer: Promise<unknown>): void {
    this.forget(opened);
    this.unanswered.add(what);
    const end = async (): Promise<void> => {
      this.unanswered.delete(what);
      await (await opened).close();
    };
    // Closed by the broker, or with its connection, it needs no closing.
    answer.then(end, end).catch(ignore);
  }

  private opened(): Promise<LinkChannel> {
    if (this.channel) return this.channel;
    const forget = (): void => this.forget(opening);
    const opening = this.link.openChannel({ channelClosed: forget });
    opening.catch(forget);
    return (this.channel = opening);
  }

  private forget(channel: Promise<LinkChannel>): void {
    if (this.channel === channel) this.channel = undefined;
  }
}
