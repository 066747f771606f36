// Programs that a signal ends before it ends us, so that there is time to undo what must not stay.
import { execFileSync, spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'];

let interruptedBy;
const running = new Set();

/** From now on a signal ends the programs that run, and lets no other begin. */
export function watchSignals() {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      interruptedBy ??= signal;
      running.forEach((program) => program.kill(signal));
    });
  }
}

/** What a shell would say: 130 after Ctrl-C; undefined where nothing has interrupted us. */
export function exitCodeOfSignal() {
  return interruptedBy && 128 + constants.signals[interruptedBy];
}

/** Even after a signal: for what is quick, and for undoing. */
export function runAtOnce(program, ...args) {
  console.log(`> ${program} ${args.join(' ')}`);
  execFileSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Rejects where the program fails, and after a signal. */
export function run(program, ...args) {
  if (interruptedBy) return Promise.reject(new Error(`interrupted by ${interruptedBy}`));
  console.log(`> ${program} ${args.join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    running.add(child);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0 && !interruptedBy) resolve();
      else reject(new Error(`${[program, ...args].join(' ')} ended with ${interruptedBy ?? signal ?? code}`));
    });
  });
}
