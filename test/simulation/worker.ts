import { parentPort, workerData } from 'node:worker_threads';
import { plant } from './mutations.js';
import { scheduleOf } from './schedule.js';
import { simulated } from './simulate.js';

/** Runs every `step`th seed, and tells of those that fail. */
interface Share {
  readonly from: number;
  readonly seeds: number;
  readonly step: number;
  readonly mutation?: string;
}

const { from, seeds, step, mutation } = workerData as Share;
if (mutation !== undefined) plant(mutation);
const tell = (message: object): void => parentPort?.postMessage(message, []);
/** Between two reports. */
const reportEvery = 50;
let ran = 0;
for (let seed = from; seed < from + seeds; seed += step) {
  const { violations, happened } = await simulated(scheduleOf(seed));
  ran += 1;
  if (violations.length > 0) tell({ seed, violations });
  if (ran % reportEvery === 0) tell({ ran: reportEvery, happened });
}
tell({ ran: ran % reportEvery, done: true });
