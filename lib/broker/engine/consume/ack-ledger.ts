/** One `basic.ack` to write. */
export interface AckFrame {
  deliveryTag: number;
  /** It and all before it. */
  multiple: boolean;
}

/**
 * Which deliveries of one channel are held, and which acknowledged but not written yet.
 *
 * Delivery tags of a channel are 1, 2, 3, …; an ack with `multiple` may be written up to the first
 * one that is still held, and must name one that the broker still waits for. A settled one is forgotten,
 * however long an older one is held.
 */
export class AckLedger {
  private readonly held = new Set<number>();
  private gathered: number[] = [];
  /** No tag below it is held. */
  private low = 1;
  private next = 1;

  /** False if it is not the next one: what arrives is damaged. */
  delivered(tag: number): boolean {
    if (tag !== this.next) return false;
    this.held.add(tag);
    this.next++;
    return true;
  }

  /** The tag of the last delivery; 0: there was none. */
  get lastTag(): number {
    return this.next - 1;
  }

  get heldCount(): number {
    return this.held.size;
  }

  get gatheredCount(): number {
    return this.gathered.length;
  }

  isHeld(tag: number): boolean {
    return this.held.has(tag);
  }

  /** False if it was settled before. */
  ack(tag: number): boolean {
    if (!this.held.delete(tag)) return false;
    this.gathered.push(tag);
    return true;
  }

  /** False if it was settled before. Gathered acks have to be taken and written first. */
  reject(tag: number): boolean {
    return this.held.delete(tag);
  }

  /** The gathered acks in as few frames as possible; they count as settled from now on. */
  take(): AckFrame[] {
    const gathered = this.gathered;
    if (gathered.length === 0) return [];
    this.gathered = [];
    while (this.low < this.next && !this.held.has(this.low)) this.low++;
    const alone: AckFrame[] = [];
    let last = 0;
    for (const deliveryTag of gathered) {
      if (deliveryTag >= this.low) alone.push({ deliveryTag, multiple: false });
      else if (deliveryTag > last) last = deliveryTag;
    }
    const together = gathered.length - alone.length;
    return together === 0 ? alone : [{ deliveryTag: last, multiple: together > 1 }, ...alone];
  }
}
