import type { LinkDelivery } from '../link.js';
import { type BodyLimits, readBody, UnreadableBody } from './body-reader.js';

/** Smaller ones are not counted: the prefetch bounds it. */
const countedFromBytes = 4_096;

/** As many messages that went back are recognised. */
const mostReturned = 1_000;

/** AMQP's number for a prefetch has 16 bits. */
const greatestPrefetch = 65_535;

/** The most that all consumers of a broker may hold together, in bytes. */
export class HeldBudget {
  private held = 0;
  private readonly waiting = new Set<() => void>();
  private readonly returned = new Set<string>();

  constructor(private readonly limit: number) {}

  get free(): number {
    return this.limit - this.held;
  }

  /** Negative for what is held no longer. */
  add(bytes: number): void {
    this.held += bytes;
    if (bytes >= 0 || this.held > this.limit / 2) return;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resume of waiting) resume();
  }

  /** Calls `resume` once half of it is free. Returns what ends the wait. */
  whenRoomy(resume: () => void): () => void {
    this.waiting.add(resume);
    return () => void this.waiting.delete(resume);
  }

  /** It went back without having done harm: that it comes again is no bad sign. */
  noteReturned(message: string): void {
    this.returned.add(message);
    if (this.returned.size > mostReturned) this.returned.delete(this.returned.values().next().value!);
  }

  /** True once for what went back from here. */
  wasReturned(message: string): boolean {
    return this.returned.delete(message);
  }
}

/** `full`: waits for room. `emptying`: there is room, and what was on its way is still to come, and to go back. */
type Room =
  | { readonly name: 'emptying' }
  | { readonly name: 'full'; readonly stopWaiting: () => void; readonly lastHasCome?: Promise<void> }
  | { readonly name: 'roomy' };

const ROOMY: Room = { name: 'roomy' };

/**
 * How much the deliveries of one channel hold that are not settled.
 *
 * One is always taken, however large: whoever holds nothing waits for nobody. From the first one on that is too much nothing is
 * taken, not even what would fit, so that the order stays as it was.
 */
export class HeldMessages {
  /** Bytes by delivery tag. */
  private readonly weights = new Map<number, number>();
  /** How huge ones are recognised when they come again, by delivery tag. */
  private readonly marks = new Map<number, string>();
  private largest = 0;
  private room: Room = ROOMY;

  constructor(
    private readonly budget: HeldBudget,
    private readonly onRoomy: () => void,
  ) {}

  /** Takes nothing more until there is room. */
  get isFull(): boolean {
    return this.room !== ROOMY;
  }

  /** True when a message of so many bytes is one too many; then nothing is taken until there is room. */
  isTooMuch(bytes: number): boolean {
    this.largest = Math.max(this.largest, bytes);
    if (this.isFull) return true;
    if (this.weights.size === 0 || bytes <= this.budget.free) return false;
    this.room = { name: 'full', stopWaiting: this.budget.whenRoomy(() => this.resume()) };
    return true;
  }

  /** The same for a delivery, which goes back then. */
  refuses({ content, redelivered }: LinkDelivery, queue: string): boolean {
    if (!this.isTooMuch(content.length)) return false;
    if (!redelivered) this.budget.noteReturned(markOf(queue, content));
    return true;
  }

  /** Its body. @throws UnreadableBody it is none, or one so large that it may have ended whoever had it before */
  read({ content, deliveryTag, headers, redelivered }: LinkDelivery, queue: string, limits: BodyLimits): Buffer {
    const body = readBody(content, headers, limits);
    if (!isHuge(content, body, limits)) return body;
    const mark = markOf(queue, content);
    // A message that went back from this process, read or unread, has not ended it.
    if (redelivered && !this.budget.wasReturned(mark)) {
      throw new UnreadableBody(`${body.length} bytes, delivered once more: it may have ended whoever had it before`);
    }
    this.marks.set(deliveryTag, mark);
    return body;
  }

  /** Again for what takes another number of bytes by now. */
  hold(deliveryTag: number, bytes: number): void {
    const before = this.weights.get(deliveryTag) ?? 0;
    if (bytes < countedFromBytes && before === 0) return;
    this.largest = Math.max(this.largest, bytes);
    this.weights.set(deliveryTag, bytes);
    this.budget.add(bytes - before);
  }

  drop(deliveryTag: number): void {
    this.marks.delete(deliveryTag);
    const bytes = this.weights.get(deliveryTag);
    if (bytes === undefined) return;
    this.weights.delete(deliveryTag);
    this.budget.add(-bytes);
    if (this.weights.size === 0) this.resume();
  }

  /** It will be delivered again. */
  giveBack(deliveryTag: number): void {
    const mark = this.marks.get(deliveryTag);
    if (mark !== undefined) this.budget.noteReturned(mark);
    this.drop(deliveryTag);
  }

  giveAllBack(): void {
    if (this.room.name === 'full') this.room.stopWaiting();
    this.room = ROOMY;
    for (const deliveryTag of new Set([...this.weights.keys(), ...this.marks.keys()])) this.giveBack(deliveryTag);
  }

  /** How many at a time fit, as large as they have been since this was asked the last time; 0: without limit. */
  fitting(prefetch: number): number {
    const most = Math.max(1, Math.floor(this.budget.free / 2 / this.largest));
    this.largest = 0;
    return most > greatestPrefetch ? prefetch : Math.min(prefetch || Infinity, most);
  }

  /** Until then room does not count: what is still on its way would pass what went back. */
  stayFullUntil(lastHasCome: Promise<void>): void {
    if (this.room.name === 'full') this.room = { ...this.room, lastHasCome };
  }

  private resume(): void {
    if (this.room.name !== 'full') return;
    const { stopWaiting, lastHasCome } = this.room;
    stopWaiting();
    if (!lastHasCome) return this.roomy();
    const emptying: Room = { name: 'emptying' };
    this.room = emptying;
    void lastHasCome.then(() => this.emptied(emptying));
  }

  private emptied(emptying: Room): void {
    // All may have been given back meanwhile.
    if (this.room === emptying) this.roomy();
  }

  private roomy(): void {
    this.room = ROOMY;
    this.onRoomy();
  }
}

/** More than half of what may come. */
function isHuge(content: Buffer, body: Buffer, { maxMessageBytes, maxInflatedBytes }: BodyLimits): boolean {
  return content.length > maxMessageBytes / 2 || (body !== content && body.length > maxInflatedBytes / 2);
}

/** Recognises a message that comes again; ids are near its end. */
function markOf(queue: string, content: Buffer): string {
  const ends = [content.subarray(0, 64), content.subarray(-256)].map((part) => part.toString('latin1'));
  return [queue, content.length, ...ends].join(' ');
}
