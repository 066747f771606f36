import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';
import { OneWay } from './one-way.js';

/** What takes the place of one TCP connection between a client and the bus. */
export class MemoryLine {
  readonly up: OneWay;
  readonly down: OneWay;
  private readonly asking = new Set<(error: Error) => void>();

  constructor(delayMs: () => number) {
    this.up = new OneWay(delayMs);
    this.down = new OneWay(delayMs);
  }

  /**
   * The bus's answer to something.
   *
   * @throws MessageDeliveryFailure the line was cut meanwhile
   */
  ask<T>(question: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.asking.add(reject);
      this.up.pass(() => {
        const answer = answerTo(question);
        this.down.pass(() => {
          this.asking.delete(reject);
          if ('error' in answer) reject(answer.error);
          else resolve(answer.value);
        });
      });
    });
  }

  delayChanged(): void {
    this.up.delayChanged();
    this.down.delayChanged();
  }

  /** What is under way is lost; the next connection starts anew. */
  cut(): void {
    this.up.cut();
    this.down.cut();
    const asking = [...this.asking];
    this.asking.clear();
    for (const reject of asking) reject(new MessageDeliveryFailure('The connection was lost'));
  }
}

function answerTo<T>(question: () => T): { value: T } | { error: Error } {
  try {
    return { value: question() };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}
