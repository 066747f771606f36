/** One `basic.ack` to write. */
export interface AckFrame {
  deliveryTag: number;
  /** It and all before it. */
  multiple: boolean;
}

const enum Mark {
  Held,
  Gathered,
  Settled,
}

const compactAbove = 1_024;

/**
 * Which deliveries of one channel are held, acknowledged but not written yet, or settled.
 *
 * Delivery tags of a channel are 1, 2, 3, …; an ack with `multiple` may be written up to the first
 * one that is still held, and must name one that the broker still waits for.
 */
export class AckLedger {
  private readonly marks: Mark[] = [];
  /** Tag of `marks[0]`. */
  private base = 1;
  /** No tag below it is open. */
  private low = 1;
  private gathered: number[] = [];

  delivered(tag: number): void {
    while (this.next < tag) this.marks.push(Mark.Settled);
    this.marks.push(Mark.Held);
  }

  /** False if it had a verdict before. */
  ack(tag: number): boolean {
    if (this.mark(tag) !== Mark.Held) return false;
    this.set(tag, Mark.Gathered);
    this.gathered.push(tag);
    return true;
  }

  /** False if it had a verdict before. Gathered acks have to be taken and written first. */
  reject(tag: number): boolean {
    if (this.mark(tag) !== Mark.Held) return false;
    this.set(tag, Mark.Settled);
    return true;
  }

  /** The gathered acks in as few frames as possible; they count as settled from now on. */
  take(): AckFrame[] {
    const gathered = this.gathered;
    if (gathered.length === 0) return [];
    this.gathered = [];
    const frames: AckFrame[] = [];
    const prefix = this.settlePrefix();
    if (prefix.count > 0) frames.push({ deliveryTag: prefix.last, multiple: prefix.count > 1 });
    if (prefix.count === gathered.length) return frames;
    for (const deliveryTag of gathered) {
      if (deliveryTag < this.low) continue;
      this.set(deliveryTag, Mark.Settled);
      frames.push({ deliveryTag, multiple: false });
    }
    return frames;
  }

  private get next(): number {
    return this.base + this.marks.length;
  }

  private settlePrefix(): { count: number; last: number } {
    let count = 0;
    let last = 0;
    for (; this.low < this.next; this.low++) {
      const mark = this.mark(this.low);
      if (mark === Mark.Held) break;
      if (mark !== Mark.Gathered) continue;
      count++;
      last = this.low;
      this.set(this.low, Mark.Settled);
    }
    this.compact();
    return { count, last };
  }

  private compact(): void {
    const passed = this.low - this.base;
    if (passed < compactAbove || passed * 2 < this.marks.length) return;
    this.marks.splice(0, passed);
    this.base = this.low;
  }

  private mark(tag: number): Mark {
    return this.marks[tag - this.base] ?? Mark.Settled;
  }

  private set(tag: number, mark: Mark): void {
    this.marks[tag - this.base] = mark;
  }
}
