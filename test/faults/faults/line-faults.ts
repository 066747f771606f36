import type { AmqpMethod } from '../../support/amqp-frames.js';
import type { Fault as LineFault } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { now } from '../bench/clock.js';
import type { Fault, Injected } from '../bench/fault.js';
import type { Scene } from '../bench/scene.js';
import { hit } from './injecting.js';

function proxyOf({ proxy }: Scene): NonNullable<Scene['proxy']> {
  if (!proxy) throw new Error('this scene has no proxy');
  // It writes down everything, which is more than a long run can keep.
  proxy.clear();
  return proxy;
}

/** The next request that goes out, and the next that comes in: two connections. */
async function strikeBoth(scene: Scene, fault: LineFault): Promise<void> {
  const proxy = proxyOf(scene);
  const toWork = ({ fields }: AmqpMethod): boolean => fields['exchange'] === 'nova';
  await Promise.all([
    proxy.strike({ from: 'client', method: 'BasicPublish', when: toWork, fault }),
    proxy.strike({ from: 'broker', method: 'BasicDeliver', when: toWork, fault }),
  ]);
}

async function stalledUntilNoticed(scene: Scene): Promise<Injected> {
  const proxy = proxyOf(scene);
  const accepted = proxy.accepted;
  const since = now();
  proxy.stall();
  // Who has noticed connects anew.
  await eventually(() => proxy.accepted > accepted, 'a new connection', 30_000);
  return { since, hitFrom: now() };
}

export const lineFaults: readonly Fault[] = [
  {
    name: 'sockets cut in the middle of a frame',
    scene: 'line',
    bounded: 3,
    claims: { recoversWithinMs: 300, answersAll: true },
    inject: (scene) => hit(() => strikeBoth(scene, 'cut-inside')),
  },
  {
    name: 'all sockets cut',
    scene: 'line',
    bounded: 2,
    claims: { recoversWithinMs: 300, answersAll: true },
    inject: (scene) => hit(async () => proxyOf(scene).drop()),
  },
  {
    name: 'sockets stalled until noticed',
    scene: 'line',
    bounded: 1,
    claims: { noticedWithinMs: 5_000 },
    inject: async (scene) => {
      const injected = await stalledUntilNoticed(scene);
      scene.proxy?.resume();
      return injected;
    },
  },
  {
    name: 'sockets half-open',
    scene: 'line',
    bounded: 0,
    claims: { noticedWithinMs: 5_000 },
    inject: async (scene) => {
      const since = now();
      await strikeBoth(scene, 'stall');
      return { since, hitFrom: now() };
    },
    // The broker's heartbeat would end them at last; what it has delivered into them comes back then.
    repair: async (scene) => scene.proxy?.resume(),
  },
  {
    name: 'answers swallowed by the line',
    scene: 'line',
    bounded: 0,
    claims: {},
    inject: (scene) =>
      hit(() =>
        proxyOf(scene)
          .strike({ from: 'broker', method: 'BasicAck', fault: 'swallow' })
          .then(() => scene.proxy?.drop()),
      ),
  },
];
