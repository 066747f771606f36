import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const SCRIPT = resolve('scripts/sample.mjs');

export interface SampleRun {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Compiles the package and the samples, where they have changed; for a `beforeAll`. */
export async function buildSamples(): Promise<void> {
  const { exitCode, stdout, stderr } = await run(['--build-only'], {});
  if (exitCode !== 0) throw new Error(`the samples do not compile:\n${stdout}${stderr}`);
}

/** Runs `sample/<name>` as `npm run sample` does, to its end. */
export function runSample(name: string, environment: Record<string, string> = {}): Promise<SampleRun> {
  return run([name], environment);
}

function run(args: string[], environment: Record<string, string>): Promise<SampleRun> {
  return new Promise((settle, reject) => {
    const program = spawn(process.execPath, [SCRIPT, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    let [stdout, stderr] = ['', ''];
    program.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    program.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    program.once('error', reject).once('close', (exitCode) => settle({ exitCode, stdout, stderr }));
  });
}
