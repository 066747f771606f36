import type { ConnectionPool, Consumer, FetchOptions, KafkaRecord, RecordsBatch } from '@platformatic/kafka';
import { hasCode, isRebalance, isUnreadable, reasonOf } from './kafka-errors.js';
import type { FetchedRecord, TopicSubscription } from './topic-subscription.js';

/** One partition that is ours for now. */
export interface AssignedPartition {
  readonly topic: string;
  readonly index: number;
  readonly topicId: string;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly subscription: TopicSubscription;
  /** Of the record that is fetched next. */
  position: bigint;
  /** Fetched, and not committed. */
  backlog: FetchedRecord[];
  /** Its records cannot be read, which has been told. */
  skipping: boolean;
  /** While some of the backlog is being committed: one after the other, so that no position goes back. */
  feeding?: Promise<void> | undefined;
}

export interface ReaderParts {
  readonly consumer: Consumer;
  readonly pool: ConnectionPool;
  readonly maxBytes: number;
  readonly autoCommit: boolean;
  /** The group has begun anew: nothing of this is ours any more. */
  onRebalance(): void;
  onFailed(error: unknown): void;
}

/** How long a node waits for something new; where others have no room just now it may come any moment. */
const idleMs = 500;
const busyMs = 50;
/** Bit of a batch that holds a transaction's marks. */
const controlBatch = 1 << 5;
const latest = -1n;
const earliest = -2n;

/** Fetches from the partitions that one node leads, and hands on what there is room for: committed first, as Python does. */
export class PartitionReader {
  private state: 'ended' | 'reading' = 'reading';
  private wakeUp: (() => void) | undefined;
  /** Positions that are to be committed at some time. */
  private readonly uncommitted = new Map<AssignedPartition, bigint>();

  readonly #parts: ReaderParts;

  constructor(
    private readonly partitions: readonly AssignedPartition[],
    parts: ReaderParts,
  ) {
    this.#parts = parts;
  }

  async read(): Promise<void> {
    try {
      while (this.state === 'reading') await this.round();
    } catch (error) {
      if (this.state === 'reading') this.#parts.onFailed(error);
    }
  }

  /** Something has room again. */
  wake(): void {
    for (const partition of this.partitions) if (partition.backlog.length > 0) void this.feed(partition);
    this.wakeUp?.();
  }

  /** Fetches nothing more. Resolves when what was committed has been handed over. */
  async end(): Promise<void> {
    this.state = 'ended';
    this.wakeUp?.();
    await Promise.all(this.partitions.map(({ feeding }) => feeding ?? Promise.resolve()));
  }

  /** What was handed over without. */
  async commitLate(): Promise<void> {
    const positions = [...this.uncommitted];
    this.uncommitted.clear();
    if (positions.length > 0) await this.commit(positions);
  }

  private async round(): Promise<void> {
    const hungry = this.partitions.filter(({ backlog, subscription }) => backlog.length === 0 && subscription.hasRoom);
    if (hungry.length === 0) return new Promise((resolve) => (this.wakeUp = resolve));
    const maxWaitTime = hungry.length === this.partitions.length ? idleMs : busyMs;
    await this.fetchFrom(hungry, maxWaitTime);
    await Promise.all(hungry.map((partition) => this.feed(partition)));
  }

  private async fetchFrom(partitions: readonly AssignedPartition[], maxWaitTime: number): Promise<void> {
    try {
      this.take(partitions, await this.#parts.consumer.fetch(this.request(partitions, maxWaitTime)));
    } catch (error) {
      if (this.state !== 'reading') return;
      if (hasCode(error, 'OFFSET_OUT_OF_RANGE')) return this.startAnew(partitions, error);
      if (!isUnreadable(error)) throw error;
      if (partitions.length === 1) return skip(partitions[0]!, error);
      // One of them is to blame.
      for (const partition of partitions) await this.fetchFrom([partition], 0);
    }
  }

  private request(
    partitions: readonly AssignedPartition[],
    maxWaitTime: number,
  ): FetchOptions<never, never, never, never> {
    const { maxBytes, pool: connectionPool } = this.#parts;
    const topics = partitions.map(({ topicId, index: partition, position: fetchOffset }) => ({
      topicId,
      partitions: [
        { partition, fetchOffset, partitionMaxBytes: maxBytes, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
      ],
    }));
    return { node: partitions[0]!.leader, topics, maxWaitTime, minBytes: 1, connectionPool };
  }

  private take(partitions: readonly AssignedPartition[], { responses }: Awaited<ReturnType<Consumer['fetch']>>): void {
    for (const { topicId, partitions: answers } of responses) {
      for (const { partitionIndex, records } of answers) {
        const partition = partitions.find((one) => one.topicId === topicId && one.index === partitionIndex);
        if (partition && records && records.length > 0) append(partition, records);
      }
    }
  }

  /** Kafka keeps messages for a while only: what was not read in that time is lost, as with `auto.offset.reset` in Python. */
  private async startAnew(partitions: readonly AssignedPartition[], error: unknown): Promise<void> {
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    const { consumer } = this.#parts;
    const first = await consumer.listOffsets({ topics, timestamp: earliest });
    const next = await consumer.listOffsets({ topics, timestamp: latest });
    for (const partition of partitions) {
      const { topic, index, subscription } = partition;
      const end = next.get(topic)?.[index] ?? 0n;
      if (partition.position >= (first.get(topic)?.[index] ?? 0n) && partition.position <= end) continue;
      partition.position = end;
      const text = `Messages of ${topic} were lost before they were read, Kafka keeps them no longer: it goes on with what is new`;
      subscription.reportRejected(text, error);
    }
  }

  private feed(partition: AssignedPartition): Promise<void> {
    return (partition.feeding ??= this.handOver(partition));
  }

  private async handOver(partition: AssignedPartition): Promise<void> {
    // `feed` notes this promise first. It is cleared in the turn of the last look for room, so that no wake-up is lost.
    await Promise.resolve();
    try {
      while (this.mayHandOver(partition)) await this.handOverSome(partition);
    } catch (error) {
      if (isRebalance(error)) this.#parts.onRebalance();
      else this.#parts.onFailed(error);
    } finally {
      partition.feeding = undefined;
    }
  }

  private mayHandOver({ backlog, subscription }: AssignedPartition): boolean {
    return this.state === 'reading' && backlog.length > 0 && subscription.hasRoom;
  }

  /** When the next record does not fit, the subscription becomes full, and nothing is handed over. */
  private async handOverSome(partition: AssignedPartition): Promise<void> {
    const { backlog, subscription, topic } = partition;
    const reservation = subscription.reserve(topic, backlog);
    const last = backlog.splice(0, reservation.tagged.size).at(-1);
    if (!last) return;
    try {
      await this.committed(partition, last.offset + 1n);
    } catch (error) {
      subscription.giveBack(reservation);
      throw error;
    }
    subscription.deliver(reservation);
  }

  private async committed(partition: AssignedPartition, position: bigint): Promise<void> {
    if (this.#parts.autoCommit) this.uncommitted.set(partition, position);
    else await this.commit([[partition, position]]);
  }

  private async commit(positions: readonly (readonly [AssignedPartition, bigint])[]): Promise<void> {
    const offsets = positions.map(([{ topic, index: partition, leaderEpoch }, offset]) => ({
      topic,
      partition,
      offset,
      leaderEpoch,
    }));
    await this.#parts.consumer.commit({ offsets });
  }
}

function append(partition: AssignedPartition, batches: readonly RecordsBatch[]): void {
  const { position } = partition;
  for (const { attributes, firstOffset, records } of batches) {
    if ((attributes & controlBatch) !== 0) continue;
    const fetched = records.map(({ offsetDelta, value }: KafkaRecord) => ({
      offset: firstOffset + BigInt(offsetDelta),
      value: value ?? Buffer.alloc(0),
    }));
    // A batch comes whole, with what was read of it before.
    partition.backlog.push(...fetched.filter(({ offset }) => offset >= position));
  }
  const last = batches.at(-1)!;
  partition.position = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
  partition.skipping = false;
}

/** Nothing says where the next batch begins: one record further, until one can be read. */
function skip(partition: AssignedPartition, error: unknown): void {
  const { subscription, topic } = partition;
  partition.position += 1n;
  if (partition.skipping) return;
  partition.skipping = true;
  subscription.reportRejected(`Skipped messages of ${topic} that cannot be read: ${reasonOf(error)}`, error);
}
