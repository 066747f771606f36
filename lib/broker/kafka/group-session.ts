import type { ConnectionPool, Consumer } from '@platformatic/kafka';
import { pause } from '../../events/pause.js';
import { within } from '../../events/within.js';
import type { KafkaClient, KafkaCluster } from './kafka-cluster.js';
import { isPassing } from './kafka-errors.js';
import { answerWithin } from '../engine/connection/broker-request.js';
import { assignPartitions } from './partition-assignor.js';
import { type AssignedPartition, PartitionReader } from './partition-reader.js';
import type { TopicSubscription } from './topic-subscription.js';

/** As librdkafka has it, Python's client: who dies without a word is missed so soon. */
const sessionTimeoutMs = 45_000;
/** Others wait at most so long for a member that is slow to join anew. */
const rebalanceTimeoutMs = 60_000;
/** A member learns so soon that another one has come. */
const heartbeatMs = 1_000;
const autoCommitMs = 5_000;
const goodbyeMs = 1_000;
/** A new topic, or a coordinator that begins, is waited for. */
const patienceMs = 5_000;
const askAgainMs = 100;
/** Of all partitions together, in one fetch. */
const leastFetchBytes = 10 * 1_048_576;

/** One client in a consumer group, from joining to the first failure; a new one takes its place then. */
export class GroupSession {
  /** Rejects with the first failure. */
  readonly ended: Promise<never>;
  private fail!: (error: unknown) => void;
  // Not even `inspect` shows the client, which is large and knows how to log in.
  readonly #consumer: Consumer;
  readonly #pool: ConnectionPool;
  private readers: readonly PartitionReader[] = [];
  private generation = 0;
  private state: 'closed' | 'open' = 'open';
  private readonly timer: NodeJS.Timeout | undefined;
  /** Assignments are worked off one after the other. */
  private assigning: Promise<void> = Promise.resolve();

  constructor(
    client: KafkaClient,
    private readonly cluster: KafkaCluster,
    private readonly groupId: string,
    private readonly subscriptions: readonly TopicSubscription[],
    memberId: string | null,
  ) {
    this.ended = new Promise<never>((_resolve, reject) => (this.fail = reject));
    this.ended.catch(() => undefined);
    const options = cluster.clientOptions();
    this.#consumer = new client.Consumer({
      ...options,
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatMs,
      // The answer to a join comes when all others have joined.
      requestTimeout: rebalanceTimeoutMs + (options.requestTimeout ?? 0),
      partitionAssigner: assignPartitions,
      maxBytes: Math.max(cluster.kafka.kafkaMaxFetchBytes, leastFetchBytes),
    });
    // Else the group would wait for the one that we were until its session has expired.
    this.#consumer.memberId = memberId;
    // Behind a fetch that waits, a heartbeat would come late.
    this.#pool = new client.ConnectionPool(options.clientId, options);
    this.#consumer.on('error', (error: unknown) => this.fail(error));
    this.#consumer.on('consumer:heartbeat:error', ({ error }: { error: unknown }) => this.fail(error));
    this.#consumer.on('consumer:group:join', () => this.joined());
    if (cluster.kafka.enableAutoCommit) this.timer = setInterval(() => this.commitLate(), autoCommitMs);
  }

  /** As the group knows us. */
  get memberId(): string | null {
    return this.#consumer.memberId;
  }

  /** Joins the group; resolves when it is known where to begin. */
  async open(): Promise<void> {
    const topics = this.topics;
    await this.patiently(() => this.#consumer.metadata({ topics, autocreateTopics: true }));
    this.#consumer.topics.trackAll(...topics);
    await this.patiently(() => this.#consumer.joinGroup({}), rebalanceTimeoutMs + patienceMs);
    await Promise.race([this.assigning, this.ended]);
  }

  wake(): void {
    for (const reader of this.readers) reader.wake();
  }

  /** Hands over what is committed. `leaving`: the group need not wait for us to come back. */
  async close({ leaving }: { leaving: boolean }): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'closed';
    clearInterval(this.timer);
    if (leaving) await within(goodbyeMs, this.endReaders());
    else void this.endReaders();
    if (!leaving) this.#consumer.memberId = null;
    await within(goodbyeMs, new Promise<void>((resolve) => this.#consumer.leaveGroup(false, () => resolve())));
    await within(goodbyeMs, this.#consumer.close());
    // Where it could not say good-bye it is not closed either.
    await within(goodbyeMs, Promise.all([this.#consumer.connections.close(), this.#pool.close()]));
    this.fail(new Error('closed'));
  }

  private get topics(): string[] {
    return [...new Set(this.subscriptions.flatMap(({ topics }) => [...topics.keys()]))];
  }

  /** Asks again while that helps; a silent node says neither yes nor no. */
  private async patiently<T>(ask: () => Promise<T>, timeoutMs = 2 * this.cluster.livenessTimeoutMs): Promise<T> {
    const timeout = { timeoutMs, excused: () => false };
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      try {
        return await answerWithin(timeout, `group '${this.groupId}'`, Promise.race([ask(), this.ended]));
      } catch (error) {
        if (this.state === 'closed' || !isPassing(error) || performance.now() > giveUpAt) throw error;
        await pause(askAgainMs);
      }
    }
  }

  /** The group has shared the partitions anew. */
  private joined(): void {
    const generation = ++this.generation;
    this.assigning = this.assigning
      .then(() => this.assign(generation))
      .catch((error: unknown) => {
        if (generation === this.generation) this.fail(error);
      });
  }

  private async assign(generation: number): Promise<void> {
    await this.endReaders();
    if (!this.isCurrent(generation)) return;
    const partitions = await this.patiently(() => this.assignedPartitions());
    if (!this.isCurrent(generation)) return;
    const nodes = new Set(partitions.map(({ leader }) => leader));
    this.readers = [...nodes].map((node) => this.readerOf(partitions.filter(({ leader }) => leader === node)));
    for (const reader of this.readers) void reader.read();
  }

  private isCurrent(generation: number): boolean {
    return generation === this.generation && this.state === 'open';
  }

  private readerOf(partitions: readonly AssignedPartition[]): PartitionReader {
    const [consumer, pool] = [this.#consumer, this.#pool];
    const { enableAutoCommit: autoCommit, kafkaMaxFetchBytes: maxBytes } = this.cluster.kafka;
    return new PartitionReader(partitions, {
      consumer,
      pool,
      maxBytes,
      autoCommit,
      // The next heartbeat says so as well, and it joins anew.
      onRebalance: () => void this.endReaders(),
      onFailed: (error) => this.fail(error),
    });
  }

  private async assignedPartitions(): Promise<AssignedPartition[]> {
    const assignments = this.#consumer.assignments ?? [];
    if (assignments.length === 0) return [];
    const topics = assignments.map(({ topic }) => topic);
    const metadata = await this.#consumer.metadata({ topics, forceUpdate: true });
    const starts = await this.starts(assignments);
    return assignments.flatMap(({ topic, partitions }) => {
      const subscription = this.subscriptions.find((one) => one.topics.has(topic));
      const known = metadata.topics.get(topic);
      if (!subscription || !known) return [];
      return partitions.map((index): AssignedPartition => {
        const { leader, leaderEpoch } = known.partitions[index]!;
        const position = starts.get(topic)!.get(index)!;
        return {
          topic,
          index,
          topicId: known.id,
          leader,
          leaderEpoch,
          subscription,
          position,
          backlog: [],
          skipping: false,
        };
      });
    });
  }

  /**
   * What the group has committed, else what comes from now on, as in Python. That is committed at once: what comes after
   * it is for this group, whoever reads the partition then.
   */
  private async starts(assignments: readonly Assignment[]): Promise<Map<string, Map<number, bigint>>> {
    const committed = await this.#consumer.listCommittedOffsets({ topics: [...assignments] });
    const topics = assignments.map(({ topic }) => topic);
    const latest = await this.#consumer.listOffsets({ topics });
    const starts = new Map<string, Map<number, bigint>>();
    const fresh: { topic: string; partition: number; offset: bigint; leaderEpoch: number }[] = [];
    for (const { topic, partitions } of assignments) {
      const positions = partitions.map((partition): [number, bigint] => {
        const known = committed.get(topic)?.[partition] ?? -1n;
        const offset = known >= 0n ? known : (latest.get(topic)?.[partition] ?? 0n);
        if (known < 0n) fresh.push({ topic, partition, offset, leaderEpoch: -1 });
        return [partition, offset];
      });
      starts.set(topic, new Map(positions));
    }
    if (fresh.length > 0) await this.#consumer.commit({ offsets: fresh });
    return starts;
  }

  private async endReaders(): Promise<void> {
    const { readers } = this;
    this.readers = [];
    await Promise.all(readers.map((reader) => reader.end()));
    await Promise.allSettled(readers.map((reader) => reader.commitLate()));
  }

  private commitLate(): void {
    for (const reader of this.readers) reader.commitLate().catch((error: unknown) => this.fail(error));
  }
}

interface Assignment {
  readonly topic: string;
  readonly partitions: number[];
}
