// What one operation costs a process beside time: objects and their bytes, promises, timers, operations of maps and sets, as
// V8 and Node count them. Each closure, array and string is an object; V8 does not tell its kind once it is collected.
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
  await session.post('HeapProfiler.startTrackingHeapObjects', { trackAllocations: true });
  before = { ...counts };
  return {};
}

export async function end() {
  const after = { ...counts };
  const snapshot = await heapSnapshot();
  session.disconnect();
  const counted = Object.fromEntries(Object.keys(counts).map((key) => [key, after[key] - before[key]]));
  return { ...counted, ...allocationsOf(snapshot) };
}

async function heapSnapshot() {
  const chunks = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => chunks.push(params.chunk));
  // Stopping sends the snapshot.
  await session.post('HeapProfiler.stopTrackingHeapObjects');
  return JSON.parse(chunks.join(''));
}

/** V8's tree of calls, with what each of them allocated since the start, collected or not. */
function allocationsOf({ snapshot, strings, trace_function_infos: functions, trace_tree: tree }) {
  const { trace_node_fields: nodeFields, trace_function_info_fields: functionFields } = snapshot.meta;
  const [ofFunction, ofCount, ofSize, ofChildren] = ['function_info_index', 'count', 'size', 'children'].map((field) =>
    nodeFields.indexOf(field),
  );
  const fileOf = (index) => {
    const at = index * functionFields.length;
    const script = strings[functions[at + functionFields.indexOf('script_name')]];
    return script.split('/').slice(-2).join('/') || `(${strings[functions[at + functionFields.indexOf('name')]]})`;
  };
  const sum = { objects: 0, bytes: 0, byFile: {} };
  const visit = (nodes) => {
    for (let at = 0; at < nodes.length; at += nodeFields.length) {
      const file = fileOf(nodes[at + ofFunction]);
      // The snapshot itself.
      if (file === 'node:inspector') continue;
      sum.objects += nodes[at + ofCount];
      sum.bytes += nodes[at + ofSize];
      sum.byFile[file] = (sum.byFile[file] ?? 0) + nodes[at + ofSize];
      visit(nodes[at + ofChildren]);
    }
  };
  visit(tree);
  return sum;
}
