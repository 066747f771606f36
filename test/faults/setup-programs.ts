import { execFileSync } from 'node:child_process';

/** Compiles the programs that the bench runs as processes of their own. */
export default function setup(): void {
  execFileSync(process.execPath, ['scripts/build-faults.mjs'], { stdio: 'inherit' });
}
