import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../bench/fault.js';
import type { Scene } from '../bench/scene.js';
import { accepting, binary, hit, paused } from './injecting.js';

/** As promised for a line that was lost while the broker is there. */
const LINE_LOST = { recoversWithinMs: 300, answersAll: true };

async function comesBack(scene: Scene, goAway: () => Promise<void>): Promise<{ since: number; hitFrom: number }> {
  const [node] = scene.nodes;
  await goAway();
  const starting = node!.start();
  const since = await accepting(node!.port);
  await starting;
  return { since, hitFrom: since };
}

/** Ends the processes that stand for channels, with an error of AMQP, as the broker does with one that misbehaves. */
function closeChannels(scene: Scene): Promise<unknown> {
  return scene.admin.evaluate(`length([exit(Get(pid, C), {amqp_error, precondition_failed, "closed by a test", none})
    || C <- rabbit_channel:info_all([pid, vhost]), Get(vhost, C) =:= ${binary(scene.vhost)}])`);
}

export const brokerFaults: readonly Fault[] = [
  {
    name: 'broker killed (-9) and restarted',
    scene: 'broker',
    bounded: 1,
    claims: { recoversWithinMs: 2_000 },
    inject: (scene) => comesBack(scene, () => scene.nodes[0]!.kill()),
  },
  {
    name: 'broker restarted in order',
    scene: 'broker',
    bounded: 1,
    claims: { recoversWithinMs: 2_000 },
    inject: (scene) => comesBack(scene, () => scene.nodes[0]!.stop()),
  },
  {
    name: 'connections closed by the broker',
    scene: 'broker',
    bounded: 3,
    claims: LINE_LOST,
    inject: (scene) => hit(() => scene.admin.closeAllConnections(scene.vhost)),
  },
  {
    name: 'channels closed by the broker',
    scene: 'broker',
    bounded: 3,
    claims: LINE_LOST,
    inject: (scene) => hit(() => closeChannels(scene)),
  },
  {
    name: 'memory alarm (connection blocked) for 3 s',
    scene: 'broker',
    bounded: 0,
    claims: { recoversWithinMs: 2_000, answersAll: true, runsOnce: true },
    inject: async (scene) => {
      await scene.admin.memoryAlarm(true);
      await delay(3_000);
      return hit(() => scene.admin.memoryAlarm(false));
    },
  },
  {
    name: 'broker paused (SIGSTOP) for 8 s',
    scene: 'broker',
    bounded: 0,
    claims: { noticedWithinMs: 5_000 },
    inject: (scene) => paused(scene.nodes[0]!),
  },
];
