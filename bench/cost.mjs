// What one operation costs this process beside time: bytes and promises, timers and closures, as V8 and Node count them.
import { createHook } from 'node:async_hooks';
import { Session } from 'node:inspector/promises';

let promises = 0;
let timers = 0;

/** Counts promises and timers; that is slow, so nothing else is measured meanwhile. */
export function watchPromises() {
  createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises += 1;
      else if (type === 'Timeout' || type === 'Immediate') timers += 1;
    },
  }).enable();
}

/** Runs an operation and counts. */
export async function costsOf(run) {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.enable');
  const sampling = {
    samplingInterval: 256,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  };
  await session.post('HeapProfiler.startSampling', sampling);
  const before = { promises, timers };
  const { done } = await run();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  return { done, promises: promises - before.promises, timers: timers - before.timers, ...sizesOf(profile.head) };
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
