import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import type { QueueInspection } from '../broker.js';
import { ReplyCode, replyCode, replyText } from './amqp-reply.js';
import type { Line } from './line.js';

/** Looks at queues and exchanges, over the spare channel: asking for a missing one closes it. */
export class QueueInspector {
  private readonly looks = new Map<string, Promise<QueueInspection | undefined>>();

  /** One look at a time per queue; whoever asks meanwhile gets the same answer. */
  inspect(line: Line, queue: string): Promise<QueueInspection | undefined> {
    const running = this.looks.get(queue);
    if (running) return running;
    const look = this.look(line, queue).finally(() => this.looks.delete(queue));
    this.looks.set(queue, look);
    return look;
  }

  async hasExchange(line: Line, exchange: string): Promise<boolean> {
    try {
      await line.spare.run(`look at exchange '${exchange}'`, (channel) => channel.checkExchange(exchange));
      return true;
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return false;
      throw refused(line, `exchange '${exchange}'`, error);
    }
  }

  private async look(line: Line, queue: string): Promise<QueueInspection | undefined> {
    try {
      const what = `look at queue '${queue}'`;
      const { messageCount, consumerCount } = await line.spare.run(what, (channel) => channel.checkQueue(queue));
      return { messages: messageCount, consumers: consumerCount };
    } catch (error) {
      if (replyCode(error) === ReplyCode.notFound) return undefined;
      throw refused(line, `queue '${queue}'`, error);
    }
  }
}

function refused(line: Line, what: string, error: unknown): MessageDeliveryFailure {
  return new MessageDeliveryFailure(`Could not look at ${what}: ${replyText(error)}`, {
    host: line.host,
    cause: error,
  });
}
