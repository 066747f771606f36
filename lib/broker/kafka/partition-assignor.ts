import type {
  ClusterMetadata,
  ExtendedGroupProtocolSubscription,
  GroupPartitionsAssignments,
} from '@platformatic/kafka';

/**
 * Shares the partitions of each topic among the members that want the topic. The client's own assignor knows only the topics of the
 * leader, and gives them to everybody: members of one group may listen to different priorities.
 */
export function assignPartitions(
  _leader: string,
  members: ReadonlyMap<string, ExtendedGroupProtocolSubscription>,
  _topics: ReadonlySet<string>,
  { topics }: Pick<ClusterMetadata, 'topics'>,
): GroupPartitionsAssignments[] {
  const shares = new Map([...members.keys()].toSorted().map((memberId) => [memberId, newShare(memberId)]));
  for (const topic of [...topics.keys()].toSorted()) {
    const takers = [...shares.values()].filter(({ memberId }) => members.get(memberId)?.topics?.includes(topic));
    if (takers.length === 0) continue;
    const { partitionsCount } = topics.get(topic)!;
    for (let partition = 0; partition < partitionsCount; partition++) give(leastOf(takers), topic, partition);
  }
  return [...shares.values()];
}

interface Share extends GroupPartitionsAssignments {
  count: number;
}

function newShare(memberId: string): Share {
  return { memberId, assignments: new Map(), count: 0 };
}

function leastOf(shares: readonly Share[]): Share {
  return shares.reduce((least, share) => (share.count < least.count ? share : least));
}

function give(share: Share, topic: string, partition: number): void {
  const { partitions } = share.assignments.get(topic) ?? { partitions: [] };
  share.assignments.set(topic, { topic, partitions: [...partitions, partition] });
  share.count += 1;
}
