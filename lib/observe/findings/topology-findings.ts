import { counted } from '../../errors/counted.js';
import { inequivalenceIn } from '../../broker/refusal-words.js';
import { shown } from '../../wire/shown.js';
import { type DeclarationTry, valueOf } from '../bus/bus-look.js';
import type { ListedQueue } from '../bus/management-answers.js';
import { queueKinds } from '../bus/queue-kinds.js';
import type { FindingCode } from './catalogue.js';
import { type Evidence, type ExaminedQueue, NO_MANAGEMENT } from './evidence.js';
import { isGhost, trendOf } from './server-findings.js';
import { Check, type CheckResult, firstOf, named } from './finding.js';

type Inequivalent = Extract<FindingCode, 'TOPO-ARGUMENTS' | 'TOPO-DURABILITY' | 'TOPO-TYPE'>;

/** Checks of exchanges, queues and bindings. */
export function topologyFindings(evidence: Evidence): CheckResult[] {
  return [...declarations(evidence), sharedName(evidence), unbound(evidence), notReplicated(evidence)];
}

function declarations(evidence: Evidence): CheckResult[] {
  const durability = new Check('TOPO-DURABILITY');
  const type = new Check('TOPO-TYPE');
  const others = new Check('TOPO-ARGUMENTS');
  const checks: Record<Inequivalent, Check> = {
    'TOPO-DURABILITY': durability,
    'TOPO-TYPE': type,
    'TOPO-ARGUMENTS': others,
  };
  const tries = valueOf(evidence.declarations) ?? [];
  for (const one of tries) {
    const { declaration, outcome } = one;
    const relevant = declaration.kind === 'exchange' ? [durability, type] : [durability, others];
    switch (outcome.name) {
      case 'passed':
        for (const check of relevant) check.fine();
        break;
      case 'different':
        checks[codeOf(outcome.words)].found(differenceOf(one, outcome.words, evidence));
        break;
      case 'refused':
      case 'failed': {
        const words = outcome.name === 'refused' ? outcome.words : outcome.reason;
        for (const check of relevant) check.unseen(`${named(declaration.kind, declaration.name)}: ${shown(words)}`);
      }
    }
  }
  const { declarations: asked } = evidence;
  const reason = 'unknown' in asked ? asked.unknown : 'nothing is there to be compared';
  if (tries.length === 0) for (const check of Object.values(checks)) check.unseen(reason);
  else if (!tries.some(({ declaration }) => declaration.kind === 'queue')) others.unseen('--topics, or --config-file');
  return Object.values(checks).map((check) => check.result);
}

function codeOf(words: string): Inequivalent {
  const property = inequivalenceIn(words)?.property;
  if (property === 'durable') return 'TOPO-DURABILITY';
  return property === 'type' ? 'TOPO-TYPE' : 'TOPO-ARGUMENTS';
}

function differenceOf({ declaration: { kind, name } }: DeclarationTry, words: string, evidence: Evidence) {
  const { isConfigured, listings } = evidence;
  const difference = inequivalenceIn(words);
  const exchange = kind === 'exchange' ? valueOf(listings?.[1].exchanges)?.find((one) => one.name === name) : undefined;
  const maker = exchange?.madeBy === undefined ? '' : `; user '${shown(exchange.madeBy)}' has made it`;
  // A type is no option: oslo.messaging has one for each purpose.
  const isSure = isConfigured || difference?.property === 'type';
  const where = isSure ? 'by our configuration' : 'by the defaults (no --config-file is given)';
  const seen = difference
    ? `'${difference.property}' is ${shown(difference.theirs)} there, and ${shown(difference.ours)} ${where}`
    : shown(words, 400);
  return {
    // The services may well agree among themselves.
    ...(!isSure && { severity: 'warning' as const }),
    object: named(kind, name),
    seen: `${seen}${maker}`,
    known: 'it was declared as configured (406)',
  };
}

function sharedName({ listings }: Evidence): CheckResult {
  const check = new Check('TOPO-SHARED-NAME');
  const bindings = listings?.[1].bindings;
  const queues = valueOf(listings?.[1].queues);
  if (!bindings || 'unknown' in bindings || !queues) {
    check.unseen(bindings && 'unknown' in bindings ? bindings.unknown : NO_MANAGEMENT);
    return check.result;
  }
  const exchanges = valueOf(listings?.[1].exchanges)?.map(({ name }) => name);
  const names = queues.map(({ name }) => name);
  const sourcesOf = new Map<string, Set<string>>();
  for (const { queue, exchange } of bindings.value) {
    sourcesOf.set(queue, (sourcesOf.get(queue) ?? new Set()).add(exchange));
  }
  for (const [name, { kind }] of queueKinds(names, exchanges, bindings.value)) {
    if (kind !== 'topic' && kind !== 'server') continue;
    const sources = sourcesOf.get(name);
    if (!sources || sources.size < 2) check.fine();
    else
      check.found({
        object: named('queue', name),
        seen: `it is bound to ${counted(sources.size, 'exchange')}: ${firstOf([...sources])}`,
        known: 'the management API lists the bindings',
      });
  }
  return check.result;
}

function unbound(evidence: Evidence): CheckResult {
  const check = new Check('TOPO-UNBOUND');
  for (const queue of evidence.queues) {
    const isThere = 'value' in queue.after && queue.after.value !== undefined;
    if (!isThere || queue.kind.kind === 'notification') continue;
    const trend = trendOf(queue, evidence.seconds);
    // Whoever would be reached by it has gone.
    if (trend && isGhost(queue, trend)) continue;
    checkBinding(queue, evidence, check);
  }
  return check.result;
}

function checkBinding({ name, origin }: ExaminedQueue, evidence: Evidence, check: Check): void {
  const { exchange, listings, pings } = evidence;
  const object = named('queue', name);
  const bindings = valueOf(listings?.[1].bindings);
  if (bindings) {
    const sources = bindings.flatMap((one) => (one.queue === name && one.routingKey === name ? one.exchange : []));
    const isBound = origin === 'listed' ? sources.length > 0 : sources.includes(exchange);
    if (isBound) return check.fine();
    const others = sources.length === 0 ? 'to no exchange' : `to ${firstOf(sources)} only`;
    const seen =
      origin === 'listed' ? 'it is bound to no exchange' : `it is bound ${others}, not to '${shown(exchange)}'`;
    return check.found({ object, seen, known: 'the management API lists the bindings' });
  }
  const ping = valueOf(pings)?.get(name);
  if (ping?.name === 'unrouted') {
    const seen = `exchange '${shown(exchange)}' has returned a message for it`;
    return check.found({ object, seen, known: 'a mandatory request came back' });
  }
  if (ping?.name === 'answered' || ping?.name === 'silent') check.fine();
  else check.unseen(`${object} was not pinged; ${NO_MANAGEMENT}`);
}

function notReplicated({ listings }: Evidence): CheckResult {
  const check = new Check('QUEUE-NOT-REPLICATED');
  const listing = listings?.[1];
  const nodes = listing?.nodes;
  const queues = listing && valueOf(listing.queues);
  if (!nodes || 'unknown' in nodes || !queues) {
    check.unseen(nodes && 'unknown' in nodes ? nodes.unknown : NO_MANAGEMENT);
    return check.result;
  }
  const exchanges = valueOf(listing.exchanges)?.map(({ name }) => name);
  const kinds = queueKinds(
    queues.map(({ name }) => name),
    exchanges,
    valueOf(listing.bindings),
  );
  const shared = queues.filter(({ name }) => ['topic', 'server', 'notification'].includes(kinds.get(name)!.kind));
  const alone = nodes.value.length < 2 ? [] : shared.filter((queue) => !isReplicated(queue));
  if (alone.length === 0) check.fine();
  else
    check.found({
      object: counted(alone.length, 'queue'),
      seen: `classic and without mirrors, in a cluster of ${nodes.value.length} nodes: ${firstOf(alone.map(({ name }) => name))}`,
      known: 'the management API lists nodes and queues',
    });
  return check.result;
}

function isReplicated({ type, policy }: ListedQueue): boolean {
  return type !== 'classic' || policy['ha-mode'] !== undefined;
}
