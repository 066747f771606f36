import { counted } from '../../errors/counted.js';
import { shown } from '../../wire/shown.js';
import { type BusListing, valueOf } from '../bus/bus-look.js';
import { type ListedConnection, programOf } from '../bus/management-answers.js';
import { type Evidence, NO_MANAGEMENT } from './evidence.js';
import { Check, type CheckResult, firstOf } from './finding.js';

/** Of one process: Python's pools have 30 at most, unless told otherwise. */
const MANY = 100;
/** New connections a second, and in all: ours are among them, and a service that has just started. */
const CHURN = 5;
const CHURNED = 20;
/** Capabilities without which a client does not notice what has happened to it. */
const NEEDED = ['consumer_cancel_notify', 'connection.blocked'];
/** Heartbeats are right from there on. */
const PY_AMQP = [2, 4];

/** Checks of the clients. */
export function connectionFindings({ listings, seconds }: Evidence): CheckResult[] {
  const storm = new Check('CONN-STORM');
  const old = new Check('CONN-OLD-CLIENT');
  const [before, after] = listings ?? [];
  const connections = after?.connections;
  if (!before || !connections || 'unknown' in connections) {
    const reason = connections && 'unknown' in connections ? connections.unknown : NO_MANAGEMENT;
    for (const check of [storm, old]) check.unseen(reason);
    return [storm.result, old.result];
  }
  const first = valueOf(before.connections);
  const known = new Set(first?.map(({ name }) => name));
  for (const [program, own] of programs(connections.value)) {
    const fresh = first ? churn(own.filter(({ name }) => !known.has(name)).length, seconds) : 0;
    checkProgram(program, own, fresh, storm);
    checkAge(program, own, old);
  }
  checkChurn(before, after, seconds, storm);
  if (connections.value.length === 0) old.unseen('no connection is listed yet');
  return [storm.result, old.result];
}

/** By program and process, where they say who they are; else by address. */
function programs(connections: readonly ListedConnection[]): Map<string, ListedConnection[]> {
  const byProgram = new Map<string, ListedConnection[]>();
  for (const connection of connections) {
    const key = programOf(connection) ?? `somebody on ${connection.peerHost}`;
    const own = byProgram.get(key);
    if (own) own.push(connection);
    else byProgram.set(key, [connection]);
  }
  return byProgram;
}

function checkProgram(program: string, own: readonly ListedConnection[], fresh: number, check: Check): void {
  if (own.length <= MANY && fresh === 0) return check.fine();
  const seen = [
    counted(own.length, 'connection'),
    ...(fresh > 0 ? [`${Math.round(fresh * 10) / 10} new ones a second`] : []),
  ];
  check.found({
    object: shown(program),
    seen: seen.join(', '),
    known: 'the management API has listed them at two looks',
  });
}

/** Connections a second; 0: no more than is usual. */
function churn(opened: number, seconds: number): number {
  const rate = opened / seconds;
  return opened >= CHURNED && rate > CHURN ? rate : 0;
}

/** Connections that were gone again before they were listed. */
function checkChurn(before: BusListing, after: BusListing, seconds: number, check: Check): void {
  const [first, last] = [before, after].map(({ overview }) => valueOf(overview)?.connectionsOpened);
  if (typeof first !== 'number' || typeof last !== 'number') {
    check.unseen('how many connections were opened in all is not known yet');
    return;
  }
  const rate = churn(last - first, seconds);
  if (rate === 0) return check.fine();
  check.found({
    object: 'the cluster',
    seen: `${Math.round(rate)} connections a second are opened, over all virtual hosts`,
    known: "two looks at the broker's counters",
  });
}

function checkAge(program: string, connections: readonly ListedConnection[], check: Check): void {
  const own = connections.filter(({ protocol }) => protocol.startsWith('AMQP 0-'));
  if (own.length === 0) return;
  const lacking = NEEDED.filter((capability) => own.some(({ capabilities }) => !capabilities.includes(capability)));
  const versions = [...new Set(own.map(({ product, productVersion }) => `${product ?? '?'} ${productVersion ?? '?'}`))];
  const isOld = own.some(isOldPyAmqp);
  if (lacking.length === 0 && !isOld) return check.fine();
  const without = lacking.length === 0 ? '' : `, without ${lacking.join(' and ')}`;
  check.found({
    object: shown(program),
    seen: `${firstOf(versions)}${without}`,
    known: 'it says so of itself, and the management API lists it',
  });
}

function isOldPyAmqp({ product, productVersion }: ListedConnection): boolean {
  const parts = /^(\d+)\.(\d+)/.exec(productVersion ?? '');
  if (!/^py-?amqp(lib)?$/i.test(product ?? '') || !parts) return false;
  const [major, minor] = [Number(parts[1]), Number(parts[2])];
  return major < PY_AMQP[0]! || (major === PY_AMQP[0] && minor < PY_AMQP[1]!);
}
