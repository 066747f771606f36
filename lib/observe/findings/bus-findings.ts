import { counted } from '../../errors/counted.js';
import { shown } from '../../wire/shown.js';
import { textOf } from '../../errors/text-of.js';
import { type Known, valueOf } from '../bus/bus-look.js';
import type { FindingCode } from './catalogue.js';
import { type Evidence, NO_MANAGEMENT } from './evidence.js';
import { Check, type CheckResult, named } from './finding.js';

/** How connecting has failed. */
export interface ConnectFailure {
  /** Without passwords. */
  readonly url: string;
  /** AMQP's reply code, where the broker has refused us. */
  readonly code: number | undefined;
  readonly reason: string;
}

const ACCESS_REFUSED = 403;
const NOT_ALLOWED = 530;
/** The header of an answer has whole seconds. */
const CLOCK_MS = 2_000;
const REFUSED_TOLD = 4;
const CONNECTING = ['BUS-UNREACHABLE', 'BUS-TLS', 'BUS-LOGIN', 'BUS-VHOST'] as const;

/** Why there is no connection, of which nothing else can be known. */
export function connectFindings({ url, code, reason }: ConnectFailure): CheckResult[] {
  const failed = failureOf(code, reason);
  return CONNECTING.map((one) => {
    const check = new Check(one);
    if (one === failed) {
      check.found({ object: `bus ${url}`, seen: shown(reason, 400), known: 'a connection was tried' });
    } else {
      check.unseen(failed);
    }
    return check.result;
  });
}

/** Checks of the bus as a whole, over a connection that has come about. */
export function busFindings(evidence: Evidence): CheckResult[] {
  const connected = CONNECTING.map((code) => {
    const check = new Check(code);
    check.fine();
    return check.result;
  });
  return [...connected, permission(evidence), alarm(evidence), clock(evidence)];
}

function failureOf(code: number | undefined, reason: string): FindingCode {
  if (code === ACCESS_REFUSED) return 'BUS-LOGIN';
  if (code === NOT_ALLOWED) return 'BUS-VHOST';
  return /\bTLS\b|\bSSL\b|certificate|_SSL_|ERR_TLS/i.test(reason) ? 'BUS-TLS' : 'BUS-UNREACHABLE';
}

function permission(evidence: Evidence): CheckResult {
  const { declarations, listings, permissions, user, virtualHost } = evidence;
  const check = new Check('BUS-PERMISSION');
  const table = tableOf(listings?.[1].permissions);
  const object = `${named('user', user)} in ${named('virtual host', virtualHost)}`;
  const known = `it was tried${table === '' ? '' : ', and the table of permissions'}`;
  if ('unknown' in permissions) check.unseen(permissions.unknown);
  const tries = [
    ...(valueOf(permissions) ?? []),
    ...(valueOf(declarations) ?? []).map(({ declaration, outcome }) => ({
      what: `configure ${declaration.kind} '${declaration.name}'`,
      outcome,
    })),
  ];
  const refused: string[] = [];
  for (const { what, outcome } of tries) {
    switch (outcome.name) {
      case 'refused':
        refused.push(refused.length === 0 ? `${shown(what)}: ${shown(outcome.words, 400)}` : shown(what));
        break;
      case 'failed':
        check.unseen(`${shown(what)}: ${shown(outcome.reason)}`);
        break;
      case 'different':
      case 'passed':
        check.fine();
    }
  }
  if (refused.length > 0) check.found({ object, seen: `may not ${refusedText(refused)}${table}`, known });
  return check.result;
}

/** Of one missing expression a dozen things may be refused. */
function refusedText([first = '', ...others]: readonly string[]): string {
  const told = others.slice(0, REFUSED_TOLD);
  const more = others.length - told.length;
  return [first, ...told.map((one) => `nor ${one}`), ...(more > 0 ? [`nor ${counted(more, 'other thing')}`] : [])].join(
    '; ',
  );
}

function tableOf(
  permissions: Known<{ configure: string; write: string; read: string } | undefined> | undefined,
): string {
  if (!permissions || !('value' in permissions)) return '';
  if (permissions.value === undefined) return '; it has no permissions there';
  const { configure, write, read } = permissions.value;
  return `; it has configure '${shown(configure)}', write '${shown(write)}', read '${shown(read)}'`;
}

function alarm({ acceptance, listings }: Evidence): CheckResult {
  const check = new Check('BUS-ALARM');
  const alarms = valueOf(listings?.[1].alarms);
  for (const { node, resource } of alarms ?? []) {
    check.found({
      object: named('node', node),
      seen: resource === 'memory' ? 'memory is low' : resource === 'disk' ? 'disk space is low' : shown(resource),
      known: 'the management API lists it',
    });
  }
  const isListed = (alarms ?? []).length > 0;
  if (acceptance.name === 'blocked' && !isListed) {
    const known = 'the broker has blocked our connection';
    check.found({ object: 'the broker', seen: 'it reads nothing from whoever publishes', known });
  } else if (acceptance.name === 'failed') {
    check.unseen(shown(textOf(acceptance.error)));
  } else if (!isListed) {
    check.fine();
  }
  return check.result;
}

function clock({ listings }: Evidence): CheckResult {
  const check = new Check('BUS-CLOCK');
  const overview = listings?.[1].overview;
  if (!overview || 'unknown' in overview) {
    check.unseen(overview ? overview.unknown : NO_MANAGEMENT);
    return check.result;
  }
  const { clockAheadMs, clockDoubtMs, clusterName } = overview.value;
  if (clockAheadMs === undefined) {
    check.unseen('the answers of the management API have no date');
  } else if (Math.abs(clockAheadMs) - clockDoubtMs <= CLOCK_MS) {
    check.fine();
  } else {
    const seconds = Math.round(Math.abs(clockAheadMs) / 1_000);
    check.found({
      object: named('cluster', clusterName),
      seen: `the node that answers is ${counted(seconds, 'second')} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this host`,
      known: 'the date of an answer of the management API',
    });
  }
  return check.result;
}
