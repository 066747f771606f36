import { SeededRandom } from './random.js';

/** How a handler behaves. */
export type Behaviour = 'echo' | 'fail' | 'never' | 'slow';

/** One thing that happens, at a moment on the virtual clock; `node` and `which` are taken modulo what there is. */
export type Step =
  | { readonly kind: 'abort'; readonly which: number }
  | { readonly kind: 'alarm'; readonly forMs: number }
  | { readonly kind: 'bindingLost' | 'exchangeDeleted' | 'queueDeleted'; readonly which: number }
  | {
      readonly kind: 'call';
      readonly node: number;
      readonly behaviour: Behaviour;
      readonly timeoutS: number;
      readonly abortable: boolean;
    }
  | { readonly kind: 'cast' | 'fanout'; readonly node: number; readonly behaviour: Behaviour }
  | { readonly kind: 'channelRefused'; readonly which: number; readonly code: 403 | 404 | 405 | 406 }
  | { readonly kind: 'channelHangs'; readonly which: number; readonly forMs: number }
  | { readonly kind: 'connectionClosed'; readonly which: number; readonly code: 320 | 541 }
  | { readonly kind: 'connectionCut'; readonly which: number }
  | { readonly kind: 'connectionSilent'; readonly which: number; readonly forgottenAfterMs: number }
  | { readonly kind: 'copies' | 'nacks' | 'unreachable'; readonly forMs: number }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'drain' | 'kill'; readonly node: number; readonly backAfterMs: number }
  | { readonly kind: 'notify'; readonly node: number; readonly count: number }
  | { readonly kind: 'verbRefused'; readonly forMs: number; readonly code: 403 | 406 };

export interface TimedStep {
  readonly atMs: number;
  readonly step: Step;
}

export interface Schedule {
  readonly seed: number;
  readonly steps: readonly TimedStep[];
}

/** How long things happen; then all faults end. */
export const activeMs = 20_000;

/** What a seed stands for: the same each time. */
export function scheduleOf(seed: number): Schedule {
  const random = new SeededRandom(seed);
  const faults = drawnFaults(random);
  const count = 10 + random.below(30);
  const steps: TimedStep[] = [];
  // Some begin before anything has connected.
  const start = random.chance(0.3) ? 0 : 200;
  for (let n = 0; n < count; n++) {
    const atMs = start + random.below(activeMs - start);
    steps.push({ atMs, step: random.chance(0.65) ? work(random) : fault(random, faults) });
    // A fault in the middle of what goes on.
    if (random.chance(0.3)) steps.push({ atMs: atMs + random.below(4), step: fault(random, faults) });
  }
  return { seed, steps: steps.toSorted((one, other) => one.atMs - other.atMs) };
}

type FaultKind = Exclude<Step['kind'], 'abort' | 'call' | 'cast' | 'fanout' | 'notify'>;

const allFaults: readonly FaultKind[] = [
  'alarm',
  'bindingLost',
  'channelHangs',
  'channelRefused',
  'connectionClosed',
  'connectionCut',
  'connectionSilent',
  'copies',
  'delay',
  'drain',
  'exchangeDeleted',
  'kill',
  'nacks',
  'queueDeleted',
  'unreachable',
  'verbRefused',
];

/** Few kinds at a time go deeper than all of them. */
function drawnFaults(random: SeededRandom): readonly FaultKind[] {
  const count = 1 + random.below(5);
  return Array.from({ length: count }, () => random.pick(allFaults));
}

function work(random: SeededRandom): Step {
  const node = random.below(8);
  const behaviour = random.pick(['echo', 'echo', 'echo', 'slow', 'fail', 'never'] as const);
  switch (random.below(8)) {
    case 0:
      return { kind: 'cast', node, behaviour: behaviour === 'never' ? 'echo' : behaviour };
    case 1:
      return { kind: 'fanout', node, behaviour: 'echo' };
    case 2:
    case 3:
      return { kind: 'notify', node, count: 1 };
    case 4:
      return random.chance(0.3) ? { kind: 'abort', which: random.below(8) } : { kind: 'notify', node, count: 6 };
    default:
      return { kind: 'call', node, behaviour, timeoutS: random.pick([0.5, 2, 5, 15]), abortable: random.chance(0.3) };
  }
}

function fault(random: SeededRandom, kinds: readonly FaultKind[]): Step {
  const kind = random.pick(kinds);
  const which = random.below(64);
  const forMs = random.pick([5, 50, 500, 3_000, 8_000]);
  switch (kind) {
    case 'alarm':
    case 'copies':
    case 'nacks':
    case 'unreachable':
      return { kind, forMs };
    case 'bindingLost':
    case 'exchangeDeleted':
    case 'queueDeleted':
    case 'connectionCut':
      return { kind, which };
    case 'channelHangs':
      return { kind, which, forMs };
    case 'channelRefused':
      return { kind, which, code: random.pick([403, 404, 405, 406] as const) };
    case 'connectionClosed':
      return { kind, which, code: random.pick([320, 541] as const) };
    case 'connectionSilent':
      return { kind, which, forgottenAfterMs: random.pick([10, 1_000, 7_000, 30_000]) };
    case 'delay':
      return { kind, ms: random.pick([0, 0, 1, 5, 60, 400]) };
    case 'drain':
    case 'kill':
      return { kind, node: random.below(8), backAfterMs: random.pick([0, 20, 1_000, 6_000]) };
    case 'verbRefused':
      return { kind, forMs: random.pick([5, 50, 500]), code: random.pick([403, 406] as const) };
  }
}
