// The client's half of a fault: calls and casts at a steady pace, and how each ended.
import { setTimeout as pause } from 'node:timers/promises';

/** One call and one cast every `everyMs`, for `ms`; what has not ended `waitMs` after the last of them is hung. */
export async function steady(side, { ms, everyMs, waitMs }) {
  const began = performance.now();
  const works = [];
  for (let n = 0; performance.now() - began < ms; n += 1) {
    const atMs = performance.now() - began;
    works.push(begin('call', `call-${n}`, atMs, side), begin('cast', `cast-${n}`, atMs, side));
    await pause(Math.max(0, (n + 1) * everyMs - (performance.now() - began)));
  }
  await Promise.race([Promise.all(works.map(({ over }) => over)), pause(waitMs)]);
  return works.map(({ kind, work, atMs, end, error }) => ({ kind, work, atMs, end, error }));
}

function begin(kind, work, atMs, side) {
  const begun = { kind, work, atMs, end: 'hung' };
  begun.over = Promise.resolve()
    .then(() => side[kind]({ data: { work } }))
    .then(
      () => (begun.end = 'done'),
      (error) => Object.assign(begun, { end: 'failed', error: String(error?.message ?? error) }),
    );
  return begun;
}
