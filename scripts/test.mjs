// Everything that must hold, on a fresh clone too: set up, check, build, test. Goes on after a failure, to tell them all.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { install, root, run } from './install.mjs';

const cache = join(root, '.cache');
const vitestReport = join(cache, 'vitest.json');
const summary = join(cache, 'test-summary.json');
const CHECKS = ['format:check', 'lint', 'types', 'imports', 'comments', 'budget', 'options'];

const total = { passed: 0, failed: 0 };
const failures = [];

function count(name, passed, failed = 1) {
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) failures.push(name);
}

function check(name, program = 'npm', args = ['run', '--silent', name]) {
  console.log(`\n> ${name}`);
  const succeeded = run(program, args);
  count(name, succeeded ? 1 : 0, succeeded ? 0 : 1);
}

/** All there are: what no project of the configuration takes would be skipped silently. */
function specs() {
  const files = readdirSync(join(root, 'test'), { recursive: true });
  return files.filter((file) => file.endsWith('.spec.ts')).map((file) => join('test', file));
}

function runVitest() {
  console.log('\n> vitest');
  const succeeded = run('node_modules/.bin/vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${vitestReport}`,
  ]);
  if (!existsSync(vitestReport)) return count('vitest', 0);
  const { numTotalTests, numPassedTests, testResults } = JSON.parse(readFileSync(vitestReport, 'utf8'));
  // A file that does not load has no tests to fail, and a skipped test is no passed one.
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const ran = new Set(testResults.map(({ name }) => relative(root, name)));
  const forgotten = specs().filter((spec) => !ran.has(spec));
  if (forgotten.length > 0) console.log(`\nNot run: ${forgotten.join(', ')}`);
  const failed = numTotalTests - numPassedTests + unloaded.length + forgotten.length;
  count('vitest', numPassedTests, succeeded ? failed : Math.max(failed, 1));
}

mkdirSync(cache, { recursive: true });
rmSync(summary, { force: true });
rmSync(vitestReport, { force: true });
install();
if (!run(process.execPath, ['scripts/setup.mjs'])) process.exit(1);
CHECKS.forEach((script) => check(script));
// With the samples: else specs that need them would build both again, while others read `dist`.
check('build', process.execPath, ['scripts/sample.mjs', '--build-only']);
runVitest();

writeFileSync(summary, JSON.stringify(total));
if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
