import { Admin, Consumer, Producer } from '@platformatic/kafka';
import { eventually } from './eventually.js';

/** The records of Kafka's topics, beside the library. */
export class KafkaRecords {
  private readonly options: { clientId: string; bootstrapBrokers: string[]; autocreateTopics: boolean };

  constructor(address: string) {
    this.options = { clientId: 'test', bootstrapBrokers: [address], autocreateTopics: true };
  }

  async makeTopic(topic: string, partitions: number): Promise<void> {
    const admin = new Admin(this.options);
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
    await eventually(async () => (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.has(topic));
    await admin.close();
  }

  async write(topic: string, ...values: Buffer[]): Promise<void> {
    const producer = new Producer(this.options);
    await eventually(() => producer.metadata({ topics: [topic] }), `the topic ${topic}`);
    await producer.send({ acks: -1, messages: values.map((value) => ({ topic, value, partition: 0 })) });
    await producer.close();
  }

  /** The first ones. */
  async read(topic: string, count: number): Promise<{ key: Buffer | undefined; headers: number; value: string }[]> {
    const consumer = new Consumer({ ...this.options, groupId: `reader-${topic}-${Math.random()}` });
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
    const records: { key: Buffer | undefined; headers: number; value: string }[] = [];
    for await (const { key, headers, value } of stream) {
      records.push({ key, headers: headers.size, value: value.toString() });
      if (records.length === count) break;
    }
    await consumer.close();
    return records;
  }

  /** As Kafka does with what is old. */
  async deleteBefore(topic: string, offset: bigint): Promise<void> {
    const admin = new Admin(this.options);
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset }] }] });
    await admin.close();
  }

  /** As far as a group has come in the first partition. */
  async committed(groupId: string, topic: string): Promise<bigint> {
    const admin = new Admin(this.options);
    try {
      const [group] = await admin.listConsumerGroupOffsets({
        groups: [{ groupId, topics: [{ name: topic, partitionIndexes: [0] }] }],
      });
      return group!.topics[0]!.partitions[0]!.committedOffset;
    } finally {
      await admin.close();
    }
  }
}
