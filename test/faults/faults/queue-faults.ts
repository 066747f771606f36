import { setTimeout as delay } from 'node:timers/promises';
import { now } from '../bench/clock.js';
import type { Fault } from '../bench/fault.js';
import { OFTEN_MS, type Scene } from '../bench/scene.js';
import { binary, hit } from './injecting.js';

/** What was in a deleted queue is gone, a request or an answer; only the consumers' way back is promised. */
const CONSUMER_LOST = { recoversWithinMs: 300 };

async function queueNames(scene: Scene, pattern: RegExp): Promise<string[]> {
  const consumers = await scene.admin.listConsumers(scene.vhost);
  return [...new Set(consumers.map(({ queue }) => queue))].filter((queue) => pattern.test(queue));
}

/** All in one step inside the broker. */
async function forQueues(scene: Scene, pattern: RegExp, expression: string): Promise<unknown> {
  const names = (await queueNames(scene, pattern)).map(binary).join(',');
  return scene.admin.evaluate(`length([begin
    {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(${binary(scene.vhost)}, queue, N)), ${expression} end || N <- [${names}]])`);
}

function deleted(name: string, pattern: RegExp, bounded: number, claims: Fault['claims'] = CONSUMER_LOST): Fault {
  const remove = 'rabbit_amqqueue:delete(Q, false, false, <<"test">>)';
  return {
    name: `${name} deleted`,
    scene: 'broker',
    bounded,
    claims,
    inject: (scene) => hit(() => forQueues(scene, pattern, remove)),
  };
}

/** RabbitMQ closes the virtual host of a queue that crashes five times in ten seconds. */
const CRASH_PAUSE_MS = 4_000;
let crashedAt = -Infinity;

export const queueFaults: readonly Fault[] = [
  {
    name: 'consumers cancelled (queue processes killed)',
    scene: 'broker',
    bounded: 2,
    claims: CONSUMER_LOST,
    inject: async (scene) => {
      await delay(Math.max(0, crashedAt + CRASH_PAUSE_MS - now()));
      crashedAt = now();
      return hit(() => forQueues(scene, /./, 'exit(amqqueue:get_pid(Q), kill)'));
    },
  },
  deleted('reply queues', /^reply_/, 2),
  deleted('request queues', /^work(\.[ab])?$/, 2),
  deleted('fanout queues', /^work_fanout_/, 2, { ...CONSUMER_LOST, answersAll: true }),
  {
    name: 'exchanges deleted',
    scene: 'broker',
    bounded: 1,
    // Nobody is told: the next look finds it.
    claims: { recoversWithinMs: OFTEN_MS },
    inject: (scene) =>
      hit(() =>
        scene.admin.evaluate(`length([rabbit_exchange:delete(rabbit_misc:r(${binary(scene.vhost)}, exchange, X), false,
          <<"test">>) || X <- [<<"nova">>, <<"events">>, <<"work_fanout">>]])`),
      ),
  },
];
