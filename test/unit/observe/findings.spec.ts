import { describe, expect, it } from 'vitest';
import type { BusListing, DeclarationTry } from '../../../lib/observe/bus/bus-look.js';
import { judge } from '../../../lib/observe/findings/examination.js';
import { connectFindings } from '../../../lib/observe/findings/bus-findings.js';
import { FINDING_CODES, type FindingCode } from '../../../lib/observe/findings/catalogue.js';
import type { Evidence, ExaminedQueue } from '../../../lib/observe/findings/evidence.js';
import type { ListedConnection, ListedQueue } from '../../../lib/observe/bus/management-answers.js';

const listedQueue: ListedQueue = {
  name: 'conductor',
  durable: false,
  autoDelete: false,
  exclusive: false,
  type: 'classic',
  arguments: {},
  policy: {},
  ready: 0,
  unacknowledged: 0,
  consumers: 1,
  publishRate: null,
  deliverRate: null,
};
const connection: ListedConnection = {
  name: '10.0.0.7:1 -> 10.0.0.1:5672',
  program: 'nova-conductor:17:uuid',
  user: 'nova',
  peerHost: '10.0.0.7',
  product: 'py-amqp',
  productVersion: '5.1.1',
  protocol: 'AMQP 0-9-1',
  capabilities: ['consumer_cancel_notify', 'connection.blocked'],
};
const overview = {
  clusterName: 'ctl',
  version: '3.13.7',
  connectionsOpened: 10,
  connectionsClosed: 1,
  clockAheadMs: 200,
  clockDoubtMs: 0,
};
const listing: BusListing = {
  overview: { value: overview },
  nodes: { value: [{ name: 'rabbit@ctl1', running: true }] },
  alarms: { value: [] },
  queues: { value: [listedQueue] },
  exchanges: { value: [{ name: 'nova', type: 'topic', durable: false, madeBy: 'nova' }] },
  bindings: { value: [{ exchange: 'nova', queue: 'conductor', routingKey: 'conductor' }] },
  consumers: { value: [{ queue: 'conductor', connection: connection.name }] },
  connections: { value: [connection] },
  permissions: { value: { configure: '.*', write: '.*', read: '.*' } },
};
const exchange = { kind: 'exchange', name: 'nova', type: 'topic', durable: false, autoDelete: false } as const;
const conductor = { kind: 'queue', name: 'conductor', durable: false, autoDelete: false, arguments: {} } as const;
const same = (declaration: DeclarationTry['declaration']): DeclarationTry => ({
  declaration,
  outcome: { name: 'passed' },
});

function queue(
  messages: readonly [number, number],
  consumers: number,
  change: Partial<ExaminedQueue> = {},
): ExaminedQueue {
  return {
    name: 'conductor',
    kind: { kind: 'topic', topic: 'conductor' },
    origin: 'named',
    before: { value: { messages: messages[0], consumers } },
    after: { value: { messages: messages[1], consumers } },
    listed: undefined,
    ...change,
  };
}

/** Of a bus where nothing is wrong. */
const healthy: Evidence = {
  exchange: 'nova',
  virtualHost: '/',
  user: 'nova',
  seconds: 5,
  hasExchange: { value: true },
  acceptance: { name: 'taken' },
  permissions: { value: [{ what: "write to exchange 'nova'", outcome: { name: 'passed' } }] },
  declarations: { value: [same(exchange), same(conductor)] },
  isConfigured: true,
  queues: [queue([0, 0], 1)],
  leftOut: 0,
  pings: { value: new Map([['conductor', { name: 'answered' }]]) },
  versions: undefined,
  listings: [listing, listing],
};

const notified = (messages: readonly [number, number], consumers: number, name = 'notifications.info'): ExaminedQueue =>
  queue(messages, consumers, { name, kind: { kind: 'notification', topic: 'notifications' }, origin: 'conventional' });

function findingsOf(change: Partial<Evidence>) {
  return judge({ ...healthy, ...change }).flatMap(({ findings }) => findings);
}

function codesOf(change: Partial<Evidence>): string[] {
  return findingsOf(change).map(({ code, severity }) => `${severity} ${code}`);
}

function unseenOf(code: FindingCode, change: Partial<Evidence>): readonly string[] {
  return judge({ ...healthy, ...change }).find((one) => one.code === code)!.unseen;
}

const listings = (change: Partial<BusListing>, before: Partial<BusListing> = {}): Evidence['listings'] => [
  { ...listing, ...before },
  { ...listing, ...change },
];

it('of a healthy bus there is none, and each code was looked for', () => {
  const results = judge(healthy);
  expect(results.flatMap(({ findings }) => findings)).toEqual([]);
  expect(results.map(({ code }) => code).toSorted()).toEqual(FINDING_CODES.toSorted());
});

it('whatever was not seen is not fine, and says why', () => {
  const nothing: Partial<Evidence> = {
    acceptance: { name: 'blocked' },
    permissions: { unknown: 'blocked' },
    declarations: { unknown: 'blocked' },
    hasExchange: { unknown: 'gone' },
    queues: [],
    pings: { unknown: '--no-ping' },
    listings: undefined,
  };
  for (const { code, fine, findings, unseen } of judge({ ...healthy, ...nothing })) {
    const isKnown = code.startsWith('BUS-') && !['BUS-PERMISSION', 'BUS-CLOCK'].includes(code);
    expect({ code, seen: fine + findings.length > 0, told: unseen.length > 0 }).toEqual({
      code,
      seen: isKnown,
      told: !isKnown,
    });
  }
});

describe('how connecting failed', () => {
  it.each([
    [403, 'ACCESS_REFUSED - Login was refused', 'BUS-LOGIN'],
    [530, "virtual host 'x' is refused", 'BUS-VHOST'],
    [undefined, 'connect ECONNREFUSED 10.0.0.1:5672', 'BUS-UNREACHABLE'],
    [undefined, 'this port speaks TLS: set ssl', 'BUS-TLS'],
    [undefined, "the broker's certificate has expired", 'BUS-TLS'],
    [undefined, 'no answer within 15000 ms', 'BUS-UNREACHABLE'],
  ])('%s %s', (code, reason, expected) => {
    const results = connectFindings({ url: 'rabbit://h/', code, reason });
    expect(results.flatMap(({ findings }) => findings.map((one) => one.code))).toEqual([expected]);
    expect(results.map(({ fine }) => fine)).toEqual([0, 0, 0, 0]);
  });
});

describe('a queue', () => {
  it.each([
    ['has few messages', [0, 9], 2, []],
    ['grows', [10, 60], 2, ['warning SRV-BACKLOG']],
    ['is long, and grows', [1_000, 1_500], 2, ['error SRV-BACKLOG']],
    ['is long, and stands still', [2_000, 2_000], 2, ['warning SRV-BACKLOG']],
    ['is long, and will take minutes', [2_000, 1_990], 2, ['warning SRV-BACKLOG']],
    ['is long, and empties fast', [2_000, 1_000], 2, []],
    ['is short, and stands still', [500, 500], 2, []],
    ['has nobody', [1_832, 1_832], 0, ['error SRV-NO-CONSUMER']],
    ['has nobody, and nothing', [0, 0], 0, ['error SRV-NO-CONSUMER']],
  ] as const)('that %s', (_what, messages, consumers, codes) => {
    expect(codesOf({ queues: [queue(messages, consumers)] })).toEqual(codes);
  });

  it('tells its rate and the time to empty it', () => {
    const [grows, shrinks] = [
      [10, 215],
      [2_000, 1_990],
    ].map((messages) => findingsOf({ queues: [queue(messages as [number, number], 2)] })[0]!.seen);
    expect(grows).toBe("215 messages wait, +41/s; 2 consumers: 'nova-conductor:17 on 10.0.0.7'");
    expect(shrinks).toContain('1990 messages wait, -2/s: empty in 995 s at the soonest');
  });

  it('that lost its consumer between the looks is no finding yet', () => {
    const one = queue([0, 0], 1, { after: { value: { messages: 0, consumers: 0 } } });
    expect(codesOf({ queues: [one] })).toEqual([]);
  });

  it('that is missing is a finding only where it was named', () => {
    const missing = { before: { value: undefined }, after: { value: undefined } };
    expect(codesOf({ queues: [queue([0, 0], 0, missing)] })).toEqual(['error SRV-NO-QUEUE']);
    expect(codesOf({ queues: [queue([0, 0], 0, { ...missing, origin: 'conventional' })] })).toEqual([]);
  });

  it('that nobody has named, with nothing in it, is a ghost; one that expires is none', () => {
    const server = { name: 'conductor.h9', kind: { kind: 'server', topic: 'conductor', server: 'h9' } } as const;
    const bindings = {
      value: ['conductor', 'conductor.h9'].map((name) => ({ exchange: 'nova', queue: name, routingKey: name })),
    };
    const ghost = queue([0, 0], 0, { ...server, origin: 'listed', listed: listedQueue });
    const expiring = { ...ghost, listed: { ...listedQueue, arguments: { 'x-expires': 60_000 } } };
    expect(codesOf({ queues: [ghost], listings: listings({ bindings }) })).toEqual(['hint SRV-GHOST']);
    // Its exchange was deleted meanwhile.
    expect(codesOf({ queues: [ghost], listings: listings({ bindings: { value: [] } }) })).toEqual(['hint SRV-GHOST']);
    expect(codesOf({ queues: [expiring], listings: listings({ bindings }) })).toEqual([]);
    // The service was stopped: that is one finding.
    const down = queue([0, 1], 0, { origin: 'conventional' });
    expect(codesOf({ queues: [down, ghost], listings: listings({ bindings }) })).toEqual(['error SRV-NO-CONSUMER']);
  });

  it('that could not be looked at is named', () => {
    const one = queue([0, 0], 1, { after: { unknown: 'RESOURCE_LOCKED' } });
    expect(unseenOf('SRV-NO-CONSUMER', { queues: [one] })).toEqual(["queue 'conductor': RESOURCE_LOCKED"]);
  });
});

describe('notifications', () => {
  it.each([
    ['are heard', [5_000, 6_000], 1, []],
    ['pile up', [0, 41], 0, ['warning NOTE-NOBODY']],
    ['have piled up', [1_000, 1_000], 0, ['warning NOTE-NOBODY']],
    ['are few', [7, 7], 0, []],
  ] as const)('that %s', (_what, messages, consumers, codes) => {
    expect(codesOf({ queues: [notified(messages, consumers)] })).toEqual(codes);
  });
});

describe('what is declared', () => {
  const text = (property: string, kind = 'exchange', name = 'nova'): string =>
    `PRECONDITION_FAILED - inequivalent arg '${property}' for ${kind} '${name}' in vhost '/': received 'false' but current is 'true'`;
  it.each([
    ['durable', 'TOPO-DURABILITY'],
    ['type', 'TOPO-TYPE'],
    ['x-expires', 'TOPO-ARGUMENTS'],
    ['auto_delete', 'TOPO-ARGUMENTS'],
  ])('differs in %s', (property, code) => {
    const different: DeclarationTry = { declaration: exchange, outcome: { name: 'different', words: text(property) } };
    expect(findingsOf({ declarations: { value: [different] } })).toMatchObject([
      {
        code,
        severity: 'error',
        object: "exchange 'nova'",
        seen: `'${property}' is 'true' there, and 'false' by our configuration; user 'nova' has made it`,
      },
    ]);
    // Of a type oslo.messaging leaves no choice.
    const severity = property === 'type' ? 'error' : 'warning';
    expect(codesOf({ isConfigured: false, declarations: { value: [different] } })).toEqual([`${severity} ${code}`]);
  });

  it('is refused: a permission is missing, and nothing was compared', () => {
    const refused: DeclarationTry = { declaration: exchange, outcome: { name: 'refused', words: 'ACCESS_REFUSED' } };
    expect(codesOf({ declarations: { value: [refused] } })).toEqual(['error BUS-PERMISSION']);
    expect(unseenOf('TOPO-TYPE', { declarations: { value: [refused] } })).toEqual(["exchange 'nova': ACCESS_REFUSED"]);
  });

  it('is refused at many objects: one permission is missing', () => {
    const refused = ['heat', 'engine_fanout', 'a', 'b', 'c', 'd'].map((name): DeclarationTry => {
      return { declaration: { ...exchange, name }, outcome: { name: 'refused', words: `no access to ${name}` } };
    });
    const [finding, ...others] = findingsOf({ declarations: { value: refused } });
    expect(others).toEqual([]);
    expect(finding!.seen).toContain(
      "may not configure exchange 'heat': no access to heat; nor configure exchange 'engine_fanout'; nor configure " +
        "exchange 'a'; nor configure exchange 'b'; nor configure exchange 'c'; nor 1 other thing",
    );
  });

  it('leads from two exchanges to one queue', () => {
    const bindings = {
      value: ['nova', 'heat'].map((name) => ({ exchange: name, queue: 'conductor', routingKey: 'conductor' })),
    };
    expect(codesOf({ listings: listings({ bindings }) })).toEqual(['warning TOPO-SHARED-NAME']);
  });

  it('leads to a queue from another exchange only', () => {
    const bindings = { value: [{ exchange: 'heat', queue: 'conductor', routingKey: 'conductor' }] };
    expect(findingsOf({ listings: listings({ bindings }) })).toMatchObject([
      { code: 'TOPO-UNBOUND', seen: "it is bound to 'heat' only, not to 'nova'" },
    ]);
  });

  it('stands on one node of several', () => {
    const nodes = { value: ['a', 'b', 'c'].map((name) => ({ name, running: true })) };
    expect(codesOf({ listings: listings({ nodes }) })).toEqual(['warning QUEUE-NOT-REPLICATED']);
    const quorum = { value: [{ ...listedQueue, type: 'quorum' }] };
    expect(codesOf({ listings: listings({ nodes, queues: quorum }) })).toEqual([]);
    const mirrored = { value: [{ ...listedQueue, policy: { 'ha-mode': 'all' } }] };
    expect(codesOf({ listings: listings({ nodes, queues: mirrored }) })).toEqual([]);
    expect(unseenOf('QUEUE-NOT-REPLICATED', { listings: listings({ nodes: { unknown: '401' } }) })).toEqual(['401']);
  });
});

describe('orphans', () => {
  const reply = (consumers: number | null, change: Partial<ListedQueue> = {}): Pick<BusListing, 'queues'> => ({
    queues: { value: [listedQueue, { ...listedQueue, name: 'reply_1', consumers, ready: 3, ...change }] },
  });

  it('have no consumer at both looks', () => {
    const after = reply(0, { arguments: { 'x-expires': 1_800_000 } });
    expect(findingsOf({ listings: listings(after, reply(0)) })).toMatchObject([
      {
        code: 'REPLY-ORPHAN',
        severity: 'hint',
        seen: "no consumer, 3 messages: 'reply_1'; 1 expires within 30 min of the last use",
      },
    ]);
  });

  it.each([
    ['had one before', reply(0), reply(1)],
    ['are new', reply(0), {}],
    ['are exclusive', reply(0, { exclusive: true }), reply(0)],
    ['are gone in a moment', reply(0, { arguments: { 'x-expires': 120_000 } }), reply(0)],
  ])('are none that %s', (_what, after, before) => {
    expect(codesOf({ listings: listings(after, before) })).toEqual([]);
  });

  it('are none that have one by now: the list of queues is older than that of consumers', () => {
    const consumers = { value: [{ queue: 'reply_1', connection: 'c' }] };
    expect(codesOf({ listings: listings({ ...reply(0), consumers }, reply(0)) })).toEqual([]);
  });

  it('that nobody has looked at are not called fine', () => {
    expect(codesOf({ listings: listings(reply(null), reply(null)) })).toEqual([]);
    expect(unseenOf('REPLY-ORPHAN', { listings: listings(reply(null), reply(null)) })).toEqual([
      'the consumers of 1 queue are not known',
    ]);
  });
});

describe('clients', () => {
  const many = (number: number): Pick<BusListing, 'connections'> => ({
    connections: { value: Array.from({ length: number }, (_, n) => ({ ...connection, name: `c${n}` })) },
  });

  it('of one process with many connections are a storm', () => {
    expect(codesOf({ listings: listings(many(100), many(100)) })).toEqual([]);
    expect(codesOf({ listings: listings(many(101), many(101)) })).toEqual(['warning CONN-STORM']);
  });

  it('that open them again and again are one', () => {
    expect(findingsOf({ listings: listings(many(50), many(10)) })).toMatchObject([
      { code: 'CONN-STORM', object: 'nova-conductor:17 on 10.0.0.7', seen: '50 connections, 8 new ones a second' },
    ]);
    const later = { overview: { value: { ...overview, connectionsOpened: 60 } } };
    expect(findingsOf({ listings: listings(later) })).toMatchObject([{ code: 'CONN-STORM', object: 'the cluster' }]);
  });

  it('that come a few at a time are none, however short the time between the looks', () => {
    expect(codesOf({ seconds: 0.1, listings: listings(many(20), many(10)) })).toEqual([]);
  });

  it('are not counted before the broker has counted', () => {
    const early = { overview: { value: { ...overview, connectionsOpened: null } } };
    expect(unseenOf('CONN-STORM', { listings: listings({}, early) })).toHaveLength(1);
  });

  it.each([
    ['py-amqp', '1.4.9', connection.capabilities, true],
    ['py-amqp', '2.3.9', connection.capabilities, true],
    ['py-amqp', '2.4.0', connection.capabilities, false],
    ['py-amqp', 'nonsense', connection.capabilities, false],
    ['other', '0.1', ['connection.blocked'], true],
    ['other', '0.1', connection.capabilities, false],
  ])('%s %s that can %j', (product, productVersion, capabilities, isOld) => {
    const connections = { value: [{ ...connection, product, productVersion, capabilities }] };
    expect(codesOf({ listings: listings({ connections }) })).toEqual(isOld ? ['warning CONN-OLD-CLIENT'] : []);
  });

  it('of another protocol are not asked for what AMQP 0-9-1 has', () => {
    const connections = { value: [{ ...connection, protocol: 'MQTT 3.1.1', capabilities: [] }] };
    expect(codesOf({ listings: listings({ connections }) })).toEqual([]);
  });
});

describe('the bus', () => {
  it('has an alarm, with or without its node', () => {
    expect(codesOf({ acceptance: { name: 'blocked' } })).toEqual(['error BUS-ALARM']);
    const alarms = { value: [{ node: 'rabbit@ctl1', resource: 'disk' }] };
    expect(findingsOf({ acceptance: { name: 'blocked' }, listings: listings({ alarms }) })).toMatchObject([
      { code: 'BUS-ALARM', object: "node 'rabbit@ctl1'", seen: 'disk space is low' },
    ]);
  });

  it.each([
    [1_900, []],
    [-2_500, ['hint BUS-CLOCK']],
    [3_600_000, ['hint BUS-CLOCK']],
  ])('has a clock that is %i ms ahead', (clockAheadMs, codes) => {
    expect(codesOf({ listings: listings({ overview: { value: { ...overview, clockAheadMs } } }) })).toEqual(codes);
  });

  it('has none of which the answer took so long that it may be right', () => {
    const late = { ...overview, clockAheadMs: -4_000 };
    const withDoubt = (clockDoubtMs: number) =>
      codesOf({ listings: listings({ overview: { value: { ...late, clockDoubtMs } } }) });
    expect([withDoubt(3_000), withDoubt(1_000)]).toEqual([[], ['hint BUS-CLOCK']]);
  });

  it('lacks a permission, and the table says which it has', () => {
    const refused = { what: 'write', outcome: { name: 'refused', words: 'ACCESS_REFUSED' } } as const;
    const permissions = { value: { configure: '.*', write: '^nova$', read: '.*' } };
    const [finding] = findingsOf({ permissions: { value: [refused] }, listings: listings({ permissions }) });
    expect(finding).toMatchObject({ code: 'BUS-PERMISSION', seen: expect.stringContaining("write '^nova$'") });
  });
});

describe('versions', () => {
  const serving = (server: string, version: string, namespace: string | null = null) => ({
    topic: 'conductor',
    server,
    namespace,
    version: { value: version },
  });

  it('that differ are a skew', () => {
    expect(codesOf({ versions: [serving('a', '3.1'), serving('b', '3.1'), serving('a', '1.0', 'baseapi')] })).toEqual(
      [],
    );
    expect(findingsOf({ versions: [serving('a', '3.1'), serving('b', '3.0')] })).toMatchObject([
      { code: 'SRV-VERSION-SKEW', seen: "different versions are served: 3.1 by 'a'; 3.0 by 'b'" },
    ]);
  });
});

it('hostile names neither move the cursor nor tell secrets', () => {
  const name = "x\u001b[2J\n'rabbit://u:geheim@h/";
  const bad = { consumers: 0, ready: 3 };
  const program = `${name}:1`;
  const found = findingsOf({
    exchange: name,
    user: name,
    virtualHost: name,
    queues: [queue([5, 50], 0, { name }), notified([0, 5_000], 0, `${name}.info`)],
    declarations: { value: [{ declaration: { ...conductor, name }, outcome: { name: 'different', words: name } }] },
    permissions: { value: [{ what: name, outcome: { name: 'refused', words: name } }] },
    listings: [0, 1].map(() => ({
      ...listing,
      alarms: { value: [{ node: name, resource: name }] },
      queues: { value: [{ ...listedQueue, ...bad, name: `reply_${name}` }] },
      connections: { value: [{ ...connection, program, peerHost: name, product: name, capabilities: [] }] },
    })) as unknown as Evidence['listings'],
  });
  expect(found.length).toBeGreaterThan(7);
  const texts = JSON.stringify(found);
  expect(texts).not.toMatch(/geheim/);
  for (const finding of found) {
    for (const text of Object.values(finding)) expect(text).not.toMatch(/[\u0000-\u001f]/);
  }
});
