import { Worker } from 'node:worker_threads';

/** A thread may block where this one may not; it wakes up within a tenth of a millisecond. */
const THREAD = `
const { parentPort } = require('node:worker_threads');
const never = new Int32Array(new SharedArrayBuffer(4));
parentPort.on('message', (until) => {
  Atomics.wait(never, 0, 0, Math.max(0, until - performance.timeOrigin - performance.now()));
  parentPort.postMessage(null);
});
`;

/** Timers of Node have whole milliseconds and are late by up to one more: those are left for the thread. */
const COARSE_MS = 3;

/** Waits for parts of milliseconds, which timers cannot, without keeping a processor busy. One wait at a time. */
export class Metronome {
  private readonly thread = new Worker(THREAD, { eval: true });
  private woken: () => void = () => undefined;
  private failed: (error: Error) => void = () => undefined;

  constructor() {
    this.thread.on('message', () => this.woken());
    this.thread.on('error', (error) => this.failed(error));
  }

  async sleep(ms: number): Promise<void> {
    // On a clock that both threads have.
    const until = performance.timeOrigin + performance.now() + ms;
    if (ms >= COARSE_MS) await new Promise((resolve) => setTimeout(resolve, Math.floor(ms) - COARSE_MS + 1));
    await new Promise<void>((resolve, reject) => {
      this.woken = resolve;
      this.failed = reject;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
      this.thread.postMessage(until);
    });
  }

  async close(): Promise<void> {
    await this.thread.terminate();
  }
}
