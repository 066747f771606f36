// What the servers do when faults are measured: each piece of work takes a while, and how often it ran is counted.
import { setTimeout as pause } from 'node:timers/promises';

const TAKES_MS = 300;
const runs = {};

/** Anything but a piece of work is given back at once. */
export function echo(data) {
  return data?.work === undefined ? data : worked(data);
}

async function worked({ work }) {
  note({ work });
  await pause(TAKES_MS);
  return work;
}

export function note(data) {
  if (data?.work !== undefined) runs[data.work] = (runs[data.work] ?? 0) + 1;
}

/** Of each piece of work: how often it has run here. */
export function ran() {
  return runs;
}
