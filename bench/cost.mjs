// What one operation costs a process beside time: bytes and promises, timers, operations of maps and sets, as V8 and Node
// count them. Closures and single objects nobody counts; they are among the bytes.
import { createHook } from 'node:async_hooks';
import { Session } from 'node:inspector/promises';

const counts = { promises: 0, timers: 0, lookups: 0 };

/** That is slow, so nothing else is measured in a process that does it. */
export function watch() {
  createHook({
    init(_id, type) {
      if (type === 'PROMISE') counts.promises += 1;
      else if (type === 'Timeout' || type === 'Immediate') counts.timers += 1;
    },
  }).enable();
  for (const { prototype } of [Map, Set]) {
    for (const name of ['get', 'set', 'has', 'add', 'delete']) {
      const original = prototype[name];
      if (!original) continue;
      prototype[name] = function counted(...args) {
        counts.lookups += 1;
        return original.apply(this, args);
      };
    }
  }
}

let session;
let before;

export async function begin() {
  session = new Session();
  session.connect();
  await session.post('HeapProfiler.enable');
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 256,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  before = { ...counts };
  return {};
}

export async function end() {
  const after = { ...counts };
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  const counted = Object.fromEntries(Object.keys(counts).map((key) => [key, after[key] - before[key]]));
  return { ...counted, ...sizesOf(profile.head) };
}

function sizesOf(head) {
  let bytes = 0;
  const byFile = {};
  const visit = (node) => {
    const { url, functionName } = node.callFrame;
    const file = url.split('/').slice(-2).join('/') || `(${functionName})`;
    bytes += node.selfSize;
    byFile[file] = (byFile[file] ?? 0) + node.selfSize;
    node.children.forEach((child) => visit(child));
  };
  visit(head);
  return { bytes, byFile };
}
