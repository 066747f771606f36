// Installs what the tests need: RabbitMQ (its service stays off), Kafka, and one Python environment per tested oslo.messaging.
// As root or with CI=true; otherwise it says which command does it. Does nothing where everything is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCodeOfSignal, run, runAtOnce, watchSignals } from './interruptible.mjs';
import { withServicesOff } from './services-off.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');
const isRoot = process.getuid?.() === 0;
const maySetUp = isRoot || process.env.CI === 'true';

/** Names of requirements files; `-traced`: with OpenTelemetry beside it. */
const VERSIONS = ['18.3.1', '14.0.3', '1.7.0', '18.3.1-traced'];
const WITH_LATEST = process.env.OSLO_TEST_LATEST === '1';

function works(program, ...args) {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function exists(program) {
  return !spawnSync(program, ['--version'], { stdio: 'ignore' }).error;
}

/** The command line that runs a program as root. */
function rootly(program, ...args) {
  return isRoot ? [program, ...args] : ['sudo', '-n', ...(program === 'env' ? [] : ['env']), program, ...args];
}

function asRoot(program, ...args) {
  runAtOnce(...rootly(program, ...args));
}

// ---- what is missing --------------------------------------------------------------------------

function missingPackages() {
  const hasRabbit = ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/sbin/rabbitmq-server'].some((path) =>
    existsSync(path),
  );
  return [
    ...(hasRabbit && exists('erl_call') ? [] : ['rabbitmq-server']),
    ...(works('python3', '-c', 'import venv, ensurepip') ? [] : ['python3', 'python3-venv']),
    ...(exists('openssl') ? [] : ['openssl']),
    ...(exists('java') ? [] : ['openjdk-17-jre-headless']),
    ...(exists('mvn') ? [] : ['maven']),
    // Looks at the documentation site.
    ...(exists('chromium') ? [] : ['chromium', 'fonts-dejavu-core']),
    // Shells that `oslo-bus completion` is for.
    ...['zsh', 'fish'].filter((shell) => !exists(shell)),
  ];
}

const kafka = {
  directory: join(cache, 'kafka'),
  pom: join(root, 'test/support/kafka/pom.xml'),
  get stamp() {
    return sha256(readFileSync(this.pom));
  },
};

function environments() {
  const pinned = VERSIONS.map((version) => {
    const requirements = join(root, `test/interop/python/requirements-${version}.txt`);
    // Each file names everything: what the oldest asks for besides does not exist for today's Python.
    return {
      version,
      requirements,
      args: ['--no-deps', '-r', requirements],
      stamp: sha256(readFileSync(requirements)),
    };
  });
  // The newest release is looked up once a day.
  const today = new Date().toISOString().slice(0, 10);
  const latest = { version: 'latest', args: ['--upgrade', 'oslo.messaging'], stamp: today };
  return WITH_LATEST ? [...pinned, latest] : pinned;
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function isReady({ version, stamp }) {
  const directory = join(cache, 'venv', version);
  return existsSync(join(directory, 'bin/python')) && hasStamp(directory, stamp);
}

function hasStamp(directory, stamp) {
  const file = join(directory, 'stamp');
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

// ---- installing -------------------------------------------------------------------------------

async function installPackages(packages) {
  if (!exists('apt-get'))
    throw new Error(`install ${packages.join(', ')} with this system's package tool, then run this again`);
  const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'Dpkg::Use-Pty=0', '-qq'];
  const install = async () => {
    await run(...rootly(...apt, 'update'));
    await run(...rootly(...apt, 'install', '--yes', '--no-install-recommends', ...packages));
  };
  await withServicesOff(install, { asRoot, draft: join(cache, 'policy-rc.d') });
  // Off after the next boot too.
  if (packages.includes('rabbitmq-server') && exists('systemctl')) {
    spawnSync(isRoot ? 'systemctl' : 'sudo', [...(isRoot ? [] : ['-n', 'systemctl']), 'disable', 'rabbitmq-server'], {
      stdio: 'ignore',
    });
  }
}

async function installEnvironment({ version, args, stamp }) {
  const directory = join(cache, 'venv', version);
  if (version !== 'latest') rmSync(directory, { recursive: true, force: true });
  await run('python3', '-m', 'venv', directory);
  await run(join(directory, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', ...args);
  setStamp(directory, stamp);
}

/** Kafka's programs are jars: Maven finds them, and all that they need. */
async function installKafka({ directory, pom, stamp }) {
  rmSync(directory, { recursive: true, force: true });
  const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${directory}`];
  await run('mvn', '--quiet', '--batch-mode', '--file', pom, ...copy);
  setStamp(directory, stamp);
}

/** Two at a time: one waits for what it downloads while the other works. */
async function inPairs(installs) {
  const left = installs.values();
  const installed = async () => {
    for (const install of left) await install();
  };
  const outcomes = await Promise.allSettled([installed(), installed()]);
  for (const { status, reason } of outcomes) if (status === 'rejected') throw reason;
}

/** Written last and in one step: an interrupted installation is none. */
function setStamp(directory, stamp) {
  writeFileSync(join(directory, 'stamp.new'), stamp);
  renameSync(join(directory, 'stamp.new'), join(directory, 'stamp'));
}

/** What `sudo npm run setup` makes belongs to who called sudo. */
function giveToCaller() {
  const { SUDO_UID, SUDO_GID } = process.env;
  if (isRoot && SUDO_UID) runAtOnce('chown', '-R', `${SUDO_UID}:${SUDO_GID}`, cache);
}

const packages = missingPackages();
const missing = environments().filter((environment) => !isReady(environment));
const needsKafka = !hasStamp(kafka.directory, kafka.stamp);
if (packages.length > 0 || missing.length > 0 || needsKafka) {
  const what = [
    ...packages,
    ...(needsKafka ? ['Kafka'] : []),
    ...missing.map(({ version }) => `oslo.messaging ${version}`),
  ].join(', ');
  if (!maySetUp) {
    console.error(`The tests need: ${what}.\nThis installs it:\n\n    sudo npm run setup\n`);
    process.exit(1);
  }
  console.log(`Setting up the tests: ${what}`);
  watchSignals();
  try {
    if (packages.length > 0) await installPackages(packages);
    await inPairs([
      ...(needsKafka ? [() => installKafka(kafka)] : []),
      ...missing.map((environment) => () => installEnvironment(environment)),
    ]);
    giveToCaller();
  } catch (error) {
    console.error(`Setting up the tests failed: ${error.message}`);
    process.exit(exitCodeOfSignal() ?? 1);
  }
}
