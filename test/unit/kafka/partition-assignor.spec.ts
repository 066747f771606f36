import { expect, it } from 'vitest';
import { assignPartitions } from '../../../lib/broker/kafka/partition-assignor.js';

function assigned(members: Record<string, string[]>, topics: Record<string, number>): Record<string, string[]> {
  const subscriptions = Object.entries(members).map(([memberId, wanted]) => [
    memberId,
    { memberId, version: 1, topics: wanted },
  ]);
  const metadata = {
    topics: new Map(Object.entries(topics).map(([topic, partitionsCount]) => [topic, { partitionsCount }])),
  };
  const shares = assignPartitions('a', new Map(subscriptions as never), new Set(), metadata as never);
  return Object.fromEntries(
    shares.map(({ memberId, assignments }) => [
      memberId,
      [...assignments.values()].flatMap(({ topic, partitions }) => partitions.map((one) => `${topic}:${one}`)),
    ]),
  );
}

it('shares evenly', () => {
  expect(assigned({ a: ['t'], b: ['t'] }, { t: 4 })).toEqual({ a: ['t:0', 't:2'], b: ['t:1', 't:3'] });
  expect(assigned({ a: ['t', 'u'], b: ['t', 'u'] }, { t: 1, u: 1 })).toEqual({ a: ['t:0'], b: ['u:0'] });
});

it('gives a topic only to who wants it', () => {
  expect(assigned({ a: ['info'], b: ['error'] }, { info: 2, error: 1 })).toEqual({
    a: ['info:0', 'info:1'],
    b: ['error:0'],
  });
  expect(assigned({ a: ['t'], b: [] }, { t: 1, nobodys: 1 })).toEqual({ a: ['t:0'], b: [] });
});

it('each partition once, whatever the order of members', () => {
  const one = assigned({ a: ['t', 'u'], b: ['u'], c: ['t'] }, { t: 3, u: 5 });
  const other = assigned({ c: ['t'], a: ['t', 'u'], b: ['u'] }, { u: 5, t: 3 });
  expect(one).toEqual(other);
  expect(Object.values(one).flat().toSorted()).toEqual(['t:0', 't:1', 't:2', 'u:0', 'u:1', 'u:2', 'u:3', 'u:4']);
});
