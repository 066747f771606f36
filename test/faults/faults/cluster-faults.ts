import { setTimeout as delay } from 'node:timers/promises';
import type { RabbitServer } from '../../support/rabbit-server.js';
import type { Fault } from '../bench/fault.js';
import type { Scene } from '../bench/scene.js';
import { hit, paused } from './injecting.js';

let turn = 0;

/** Another one each time; the first is the one that most are connected to. */
function nextNode({ nodes }: Scene): RabbitServer {
  return nodes[turn++ % nodes.length]!;
}

/** Nodes refuse each other while they do not agree on the cookie. */
async function setApart(node: RabbitServer, others: readonly RabbitServer[]): Promise<void> {
  const names = others.map(({ access }) => `'${access.node}'`).join(',');
  await node.admin.evaluate(
    `[begin erlang:set_cookie(N, apart), erlang:disconnect_node(N) end || N <- [${names}]], true`,
  );
}

async function reunite(node: RabbitServer, others: readonly RabbitServer[]): Promise<void> {
  const names = others.map(({ access }) => `'${access.node}'`).join(',');
  await node.admin.evaluate(
    `[begin erlang:set_cookie(N, list_to_atom("${node.access.cookie}")), net_adm:ping(N) end || N <- [${names}]], true`,
  );
}

export const clusterFaults: readonly Fault[] = [
  {
    name: 'node of three killed (-9), quorum queues',
    scene: 'cluster',
    bounded: 2,
    claims: { recoversWithinMs: 2_000 },
    inject: (scene) => {
      const node = nextNode(scene);
      return hit(() => node.kill());
    },
    repair: async (scene) => {
      for (const node of scene.nodes) if (!node.running) await node.start();
    },
  },
  {
    name: 'node of three paused (SIGSTOP) for 8 s',
    scene: 'cluster',
    bounded: 0,
    claims: { noticedWithinMs: 5_000 },
    inject: (scene) => paused(nextNode(scene)),
  },
  {
    name: 'node of three parted from the others for 8 s',
    scene: 'cluster',
    bounded: 0,
    claims: {},
    inject: async (scene) => {
      const node = nextNode(scene);
      const others = scene.nodes.filter((other) => other !== node);
      const injected = await hit(() => setApart(node, others));
      await delay(8_000);
      await reunite(node, others);
      return injected;
    },
  },
];
