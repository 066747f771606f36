import type { QueuedMessage } from './memory-message.js';

/** The ready messages of a queue, first in first out; what comes back takes its old place. */
export class ReadyMessages {
  /** Those that were never taken, from `start` on. */
  private fresh: QueuedMessage[] = [];
  private start = 0;
  /** Those that came back, the next one last. */
  private readonly returned: QueuedMessage[] = [];

  get length(): number {
    return this.fresh.length - this.start + this.returned.length;
  }

  get first(): QueuedMessage | undefined {
    const [returned, fresh] = [this.returned.at(-1), this.fresh[this.start]];
    if (!returned || !fresh) return returned ?? fresh;
    return returned.position < fresh.position ? returned : fresh;
  }

  push(message: QueuedMessage): void {
    this.fresh.push(message);
  }

  shift(): QueuedMessage | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    if (first === this.returned.at(-1)) return this.returned.pop();
    this.start++;
    // Cutting off the used part only when it is the larger one keeps a shift O(1) on average.
    if (this.start * 2 >= this.fresh.length) {
      this.fresh = this.fresh.slice(this.start);
      this.start = 0;
    }
    return first;
  }

  /** The next one first. */
  toArray(): QueuedMessage[] {
    return [...this.fresh.slice(this.start), ...this.returned].sort((a, b) => a.position - b.position);
  }

  putBack(messages: readonly QueuedMessage[]): void {
    for (const message of messages) this.returned.push(message);
    this.returned.sort((a, b) => b.position - a.position);
  }
}
