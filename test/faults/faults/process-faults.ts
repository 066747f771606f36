import { setTimeout as delay } from 'node:timers/promises';
import { now } from '../bench/clock.js';
import type { Fault, Injected } from '../bench/fault.js';
import type { Participant } from '../bench/participant.js';

/** Three times the heartbeat of the scene. */
const BLOCKED_MS = 9_000;

async function whileBlocked(participant: Participant): Promise<Injected> {
  const brokenAt = now();
  await participant.tell('block', { ms: BLOCKED_MS });
  return { brokenAt, since: now(), hitFrom: now() };
}

export const processFaults: readonly Fault[] = [
  {
    name: 'service killed (-9) mid-call',
    scene: 'broker',
    bounded: 2,
    claims: {},
    inject: async (scene) => {
      await scene.service('a').kill();
      // Its sibling serves the topic meanwhile.
      await delay(500);
      await scene.startService('a');
      return { since: now(), hitFrom: now() };
    },
  },
  {
    name: 'service stopped (SIGTERM) under load',
    scene: 'broker',
    bounded: 2,
    claims: { answersAll: true, runsOnce: true },
    inject: async (scene) => {
      const service = scene.service('a');
      service.signal('SIGTERM');
      const code = await service.ended();
      if (code !== 0) throw new Error(`the service did not end by itself: ${service.ending}`);
      await scene.startService('a');
      return { since: now(), hitFrom: now() };
    },
  },
  {
    name: 'event loop of a service blocked for 9 s',
    scene: 'line',
    bounded: 0,
    claims: {},
    inject: ({ services }) => whileBlocked(services.get('a')!),
  },
  {
    name: 'event loop of the caller blocked for 9 s',
    scene: 'line',
    bounded: 0,
    claims: { callerBlockedMs: BLOCKED_MS },
    inject: ({ caller }) => whileBlocked(caller),
  },
];
