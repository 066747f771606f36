import { randomBytes } from 'node:crypto';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { RabbitServer, type RabbitServerOptions } from './rabbit-server.js';

/** Starts nodes that are one cluster: a cookie and an epmd for all, each with its own ports and data. */
export async function startCluster(size: number, options: RabbitServerOptions = {}): Promise<RabbitServer[]> {
  const epmdPort = await freePort();
  const cookie = randomBytes(12).toString('hex').toUpperCase();
  const nodes: RabbitServer[] = [];
  for (let index = 0; index < size; index += 1) {
    const [port, distributionPort] = await Promise.all([freePort(), freePort()]);
    const withoutEpmd = index > 0;
    nodes.push(new RabbitServer({ port, epmdPort, distributionPort, cookie, withoutEpmd, options }));
  }
  const [first, ...others] = nodes as [RabbitServer, ...RabbitServer[]];
  await start(first);
  // One after the other: two that join at the same time can fail each other's join.
  await Promise.all(others.map((node) => start(node)));
  for (const node of others) await join(node, first);
  return nodes;
}

async function start(node: RabbitServer): Promise<void> {
  await node.prepare();
  await node.start();
}

async function join(node: RabbitServer, first: RabbitServer): Promise<void> {
  await node.stopApp();
  await node.admin.evaluate(
    `application:stop(mnesia), ok = rabbit_mnesia:join_cluster('${first.access.node}', disc), true`,
  );
  await node.startApp();
  await eventually(
    async () => (await first.admin.evaluate<number>('length(rabbit_nodes:all_running())')) > 1,
    'a node in its cluster',
  );
}
