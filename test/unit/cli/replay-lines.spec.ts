import { expect, it } from 'vitest';
import { painted } from '../../../lib/cli/tone.js';
import { outcomeLine } from '../../../lib/cli/traffic/replay-lines.js';
import type { ReplayOutcome } from '../../../lib/cli/traffic/replay-run.js';
import type { ReplayStep } from '../../../lib/observe/traffic/replay-plan.js';

const step: ReplayStep = {
  n: 1,
  kind: 'call',
  afterMs: 14,
  recordedId: 'd06403fc0000',
  context: {},
  isMasked: false,
  exchange: 'nova',
  target: { exchange: 'nova', topic: 'conductor', namespace: 'baseapi', version: '1.1' },
  method: 'ping',
  args: { password: 'sesame' },
};

it.each([
  [{ name: 'answered', result: 'pong' }, 'ok'],
  [
    { name: 'failed', failure: { excType: 'ValueError', module: 'builtins', message: 'no host' } },
    'FAIL ValueError: no host',
  ],
  // The broker's text names what stands in the line already.
  [{ name: 'nobody', reason: "No queue is bound to exchange 'nova'" }, 'NOBODY: routed to no queue'],
  [{ name: 'timeout', reason: "queue 'conductor' has 2 consumers" }, "TIMED OUT: queue 'conductor' has 2 consumers"],
] as [ReplayOutcome, string][])('%o is a line that ends with how and how long', (outcome, how) => {
  const line = painted(outcomeLine(step, outcome, 36), false, (text) => text);
  expect(line).toBe(
    `    14 ms  call          nova/conductor                baseapi.ping v1.1 {"password":"***"}  x-d06403fc  ${how}  36 ms`,
  );
});
