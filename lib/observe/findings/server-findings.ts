import { counted } from '../../errors/counted.js';
import { shown } from '../../wire/shown.js';
import { type BusListing, valueOf } from '../bus/bus-look.js';
import { programOf } from '../bus/management-answers.js';
import { type Evidence, type ExaminedQueue, NO_MANAGEMENT, type ServedVersion } from './evidence.js';
import { Check, type CheckResult, firstOf, named } from './finding.js';

/** A queue that was there at both looks. */
export interface Trend {
  readonly before: { readonly messages: number; readonly consumers: number };
  readonly after: { readonly messages: number; readonly consumers: number };
  /** Messages a second that it has grown by; negative: it shrinks. */
  readonly growth: number;
}

/** Fewer are in any busy queue. */
const BACKLOG = 10;
const LONG_BACKLOG = 1_000;
/** Python's rpc_response_timeout: whoever waits longer has given up. */
const TIMEOUT_SECONDS = 60;

/** Checks of topics and servers. */
export function serverFindings(evidence: Evidence): CheckResult[] {
  return [
    noQueue(evidence),
    noConsumer(evidence),
    backlog(evidence),
    silent(evidence),
    versionSkew(evidence),
    ghosts(evidence),
  ];
}

/** Undefined: it was not there, or not seen, at one of the looks. */
export function trendOf({ before, after }: ExaminedQueue, seconds: number): Trend | undefined {
  const [first, last] = [valueOf(before), valueOf(after)];
  if (!first || !last) return undefined;
  return { before: first, after: last, growth: (last.messages - first.messages) / seconds };
}

/** `+41/s`. */
export function shownGrowth(growth: number): string {
  const rounded = Math.abs(growth) < 10 ? Math.round(growth * 10) / 10 : Math.round(growth);
  return `${rounded > 0 ? '+' : ''}${rounded}/s`;
}

/** How it was known. */
export function twoLooks(seconds: number): string {
  return `two looks, ${Math.round(seconds * 10) / 10} s apart`;
}

/** Tells of looks that have failed. */
export function tellUnseen(queues: readonly ExaminedQueue[], check: Check): void {
  for (const { name, before, after } of queues) {
    const failed = [before, after].find((look) => 'unknown' in look);
    if (failed && 'unknown' in failed) check.unseen(`${named('queue', name)}: ${shown(failed.unknown)}`);
  }
}

function requestQueues({ queues }: Evidence): ExaminedQueue[] {
  return queues.filter(({ kind }) => kind.kind !== 'notification');
}

function noQueue(evidence: Evidence): CheckResult {
  const check = new Check('SRV-NO-QUEUE');
  const { exchange, hasExchange, leftOut } = evidence;
  const queues = requestQueues(evidence);
  if (valueOf(hasExchange) === false) {
    check.found({
      object: named('exchange', exchange),
      seen: 'there is no such exchange',
      cause: 'No server of it has started on this virtual host, or they run on another exchange (control_exchange).',
      remedy: 'check the virtual host of the URL, and --exchange',
      known: 'a passive look',
    });
  }
  if ('unknown' in hasExchange) check.unseen(hasExchange.unknown);
  for (const { name, origin, after } of queues) {
    if ('unknown' in after) continue;
    if (after.value) check.fine();
    else if (origin === 'named') {
      check.found({ object: named('queue', name), seen: 'there is no such queue', known: 'a passive look' });
    }
  }
  if (queues.length === 0) check.unseen(`--topics, or ${NO_MANAGEMENT}`);
  if (leftOut > 0) check.unseen(`${counted(leftOut, 'queue')} more`);
  tellUnseen(queues, check);
  return check.result;
}

function noConsumer(evidence: Evidence): CheckResult {
  const check = new Check('SRV-NO-CONSUMER');
  for (const queue of requestQueues(evidence)) {
    const trend = trendOf(queue, evidence.seconds);
    if (!trend) continue;
    if (!isUnconsumed(trend)) check.fine();
    else if (!isGhost(queue, trend)) check.found(unconsumed(queue, trend, evidence));
  }
  if (requestQueues(evidence).length === 0) check.unseen(`--topics, or ${NO_MANAGEMENT}`);
  tellUnseen(requestQueues(evidence), check);
  return check.result;
}

function unconsumed({ name, kind }: ExaminedQueue, { after, growth }: Trend, { seconds }: Evidence) {
  const change = growth === 0 ? '' : `, ${shownGrowth(growth)}`;
  const who = kind.kind === 'server' ? `The service on ${shown(kind.server)} is` : 'All servers of the topic are';
  return {
    object: named('queue', name),
    seen: `${counted(after.messages, 'message')} wait${after.messages === 1 ? 's' : ''}${change}, nobody consumes`,
    cause: `${who} down, or cannot log in. Calls wait here and time out.`,
    known: twoLooks(seconds),
  };
}

function isUnconsumed({ before, after }: Trend): boolean {
  return before.consumers === 0 && after.consumers === 0;
}

/** Nobody named it, consumes it, or has left anything in it: only its name is there. */
export function isGhost({ origin }: ExaminedQueue, trend: Trend): boolean {
  const { before, after } = trend;
  return origin === 'listed' && isUnconsumed(trend) && before.messages === 0 && after.messages === 0;
}

/** Of these a finding of the topic's queue says already that all servers are down, and the hosts may well be there. */
function topicsDown(evidence: Evidence): ReadonlySet<string> {
  const down = requestQueues(evidence).filter((queue) => {
    const trend = trendOf(queue, evidence.seconds);
    return queue.kind.kind === 'topic' && trend && isUnconsumed(trend) && !isGhost(queue, trend);
  });
  return new Set(down.map(({ kind }) => kind.topic));
}

function ghosts(evidence: Evidence): CheckResult {
  const check = new Check('SRV-GHOST');
  const listed = evidence.listings?.[1].queues;
  if (!listed || 'unknown' in listed) {
    check.unseen(listed ? listed.unknown : NO_MANAGEMENT);
    return check.result;
  }
  const names: string[] = [];
  const down = topicsDown(evidence);
  for (const queue of requestQueues(evidence)) {
    const trend = trendOf(queue, evidence.seconds);
    if (!trend) continue;
    const expires = queue.listed?.arguments['x-expires'] !== undefined || queue.listed?.policy['expires'] !== undefined;
    const isGone = isGhost(queue, trend) && !expires;
    if (isGone && !down.has(queue.kind.topic)) names.push(queue.name);
    else check.fine();
  }
  if (names.length > 0) {
    check.found({
      object: counted(names.length, 'queue'),
      seen: `no consumer, no message, and no time to live: ${firstOf(names)}`,
      known: 'the management API lists them, and two looks',
    });
  }
  return check.result;
}

function backlog(evidence: Evidence): CheckResult {
  const check = new Check('SRV-BACKLOG');
  for (const queue of requestQueues(evidence)) {
    const trend = trendOf(queue, evidence.seconds);
    // Without a consumer it is no question of keeping up.
    if (!trend || trend.after.consumers === 0) continue;
    const seen = backlogOf(trend);
    if (seen === undefined) check.fine();
    else
      check.found({
        severity: trend.growth > 0 && trend.after.messages > LONG_BACKLOG ? 'error' : 'warning',
        object: named('queue', queue.name),
        seen: `${seen}${ratesOf(queue)}; ${counted(trend.after.consumers, 'consumer')}${consumersOf(queue.name, evidence.listings)}`,
        known: twoLooks(evidence.seconds),
      });
  }
  if (requestQueues(evidence).length === 0) check.unseen(`--topics, or ${NO_MANAGEMENT}`);
  tellUnseen(requestQueues(evidence), check);
  return check.result;
}

function backlogOf({ after: { messages }, growth }: Trend): string | undefined {
  if (messages < BACKLOG) return undefined;
  if (growth > 0) return `${messages} messages wait, ${shownGrowth(growth)}`;
  if (messages < LONG_BACKLOG) return undefined;
  if (growth === 0) return `${messages} messages wait, and do not become fewer`;
  const seconds = messages / -growth;
  if (seconds <= TIMEOUT_SECONDS) return undefined;
  return `${messages} messages wait, ${shownGrowth(growth)}: empty in ${Math.ceil(seconds)} s at the soonest`;
}

function ratesOf({ listed }: ExaminedQueue): string {
  if (!listed || listed.publishRate === null || listed.deliverRate === null) return '';
  return ` (in ${Math.round(listed.publishRate)}/s, out ${Math.round(listed.deliverRate)}/s)`;
}

/** `: nova-conductor:17617 on 10.0.0.7`, of those that the management API knows. */
function consumersOf(queue: string, listings: Evidence['listings']): string {
  const programs = programsOn(queue, listings?.[1]);
  return programs.length === 0 ? '' : `: ${firstOf(programs)}`;
}

function programsOn(queue: string, listing: BusListing | undefined): string[] {
  const consumers = valueOf(listing?.consumers)?.filter((one) => one.queue === queue) ?? [];
  const programs = new Map(valueOf(listing?.connections)?.map((one) => [one.name, programOf(one)]));
  return [...new Set(consumers.map(({ connection }) => programs.get(connection) ?? connection))];
}

function silent({ queues, listings, pings }: Evidence): CheckResult {
  const check = new Check('SRV-SILENT');
  if ('unknown' in pings) {
    check.unseen(pings.unknown);
    return check.result;
  }
  for (const { name } of queues) {
    const ping = pings.value.get(name);
    switch (ping?.name) {
      case undefined:
      case 'unrouted':
        break;
      case 'answered':
        check.fine();
        break;
      case 'failed':
        check.unseen(`${named('queue', name)}: ${shown(ping.reason)}`);
        break;
      case 'silent':
        check.found({
          object: named('queue', name),
          seen: `consumed, and no answer within ${ping.timeoutMs / 1_000} s${consumersOf(name, listings)}`,
          known: 'a call of a method that no server has',
        });
    }
  }
  if (pings.value.size === 0) check.unseen('nobody consumes what was looked at');
  return check.result;
}

function versionSkew({ versions }: Evidence): CheckResult {
  const check = new Check('SRV-VERSION-SKEW');
  if (!versions) {
    check.unseen('--versions');
    return check.result;
  }
  const interfaces = new Map<string, ServedVersion[]>();
  for (const one of versions) {
    const key = JSON.stringify([one.topic, one.namespace]);
    interfaces.set(key, [...(interfaces.get(key) ?? []), one]);
  }
  for (const servers of interfaces.values()) checkVersions(servers, check);
  return check.result;
}

function checkVersions(servers: readonly ServedVersion[], check: Check): void {
  const byVersion = new Map<string, string[]>();
  for (const { server, version } of servers) {
    if ('unknown' in version) check.unseen(`${named('server', server)}: ${shown(version.unknown)}`);
    else byVersion.set(version.value, [...(byVersion.get(version.value) ?? []), server]);
  }
  if (byVersion.size === 1) check.fine();
  if (byVersion.size < 2) return;
  const { topic, namespace } = servers[0]!;
  const told = [...byVersion].map(([version, names]) => `${shown(version, 20)} by ${firstOf(names)}`);
  check.found({
    object: `${named('topic', topic)}${namespace === null ? '' : `, ${named('namespace', namespace)}`}`,
    seen: `different versions are served: ${told.join('; ')}`,
    known: 'each server was asked',
  });
}
