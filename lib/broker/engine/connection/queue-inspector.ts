import { MessageDeliveryFailure } from '../../../errors/delivery.errors.js';
import type { QueueInspection } from '../../broker.js';
import { ReplyCode } from '../../link.js';
import { replyCode, replyText } from './reply-codes.js';
import type { Session } from './session.js';

/** Inspects queues and exchanges, over a channel of its own: asking for a missing one closes it. */
export class QueueInspector {
  private readonly running = new Map<string, Promise<QueueInspection | undefined>>();

  /** One inspect a time per queue; whoever asks meanwhile gets the same answer. */
  inspect(session: Session, queue: string): Promise<QueueInspection | undefined> {
    const running = this.running.get(queue);
    if (running) return running;
    const inspection = this.ask(session, queue).finally(() => this.running.delete(queue));
    this.running.set(queue, inspection);
    return inspection;
  }

  async hasExchange(session: Session, exchange: string): Promise<boolean> {
    try {
      await session.requests.ask(`inspect exchange '${exchange}'`, (channel) => channel.inspectExchange(exchange));
      return true;
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return false;
      throw refused(session, `exchange '${exchange}'`, error);
    }
  }

  private async ask(session: Session, queue: string): Promise<QueueInspection | undefined> {
    try {
      const what = `inspect queue '${queue}'`;
      return await session.requests.ask(what, (channel) => channel.inspectQueue(queue));
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return undefined;
      throw refused(session, `queue '${queue}'`, error);
    }
  }
}

function refused(session: Session, what: string, error: unknown): MessageDeliveryFailure {
  return new MessageDeliveryFailure(`Could not inspect ${what}: ${replyText(error)}`, {
    host: session.host,
    cause: error,
  });
}
