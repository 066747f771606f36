// What the recorded commands find: a RabbitMQ with the management plugin, and services in Python on it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { root } from '../install.mjs';

const own = (name) => join(root, 'scripts/recording', name);
const virtualEnvironment = join(root, '.cache/venv/18.3.1');
const USER = { name: 'nova', password: 'secret' };
const SECONDS_OF_A_COMMAND = 40;

const support = (name) => import(pathToFileURL(join(root, '.cache/bench/test/support', name)).href);

/** Starts all of it; to be disposed of. */
export async function openStage() {
  const [{ startRabbit }, { freePort }] = await Promise.all([support('rabbit-server.js'), support('free-port.js')]);
  const managementPort = await freePort();
  const rabbit = await startRabbit({
    plugins: ['rabbitmq_management'],
    configuration: [
      `management.tcp.port = ${managementPort}`,
      'management.tcp.ip = 127.0.0.1',
      // Numbers are known after so long, and not after 5 s.
      'collect_statistics_interval = 500',
    ],
  });
  const stage = new Stage(rabbit, managementPort);
  try {
    await stage.prepare();
    return stage;
  } catch (error) {
    await stage.dispose();
    throw error;
  }
}

class Stage {
  /** By their names: what is shown. */
  recorded = new Map();
  #services = [];
  #home = realpathSync(mkdtempSync(join(tmpdir(), 'oslo-bus-')));

  constructor(rabbit, managementPort) {
    this.rabbit = rabbit;
    this.managementPort = managementPort;
  }

  async prepare() {
    const { admin } = this.rabbit;
    await admin.addUser(USER.name, USER.password);
    await admin.setPermissions('/', USER.name, { configure: '.*', write: '.*', read: '.*' });
    await admin.evaluate(
      `rabbit_auth_backend_internal:set_tags(<<"${USER.name}">>, [administrator], <<"recording">>), true`,
    );
    this.#writeCommand();
    await Promise.all([
      this.#serve('nova-conductor', 'conductor', 'host1', '3.12'),
      this.#serve('nova-conductor', 'conductor', 'host2', '3.11'),
      this.#serve('nova-scheduler', 'scheduler', 'ctl1', '4.5'),
      this.#service('nova-api', 'ask', this.#url()).then((asker) => (this.asker = asker)),
    ]);
    await this.#counted();
  }

  /** Lets the caller do one of its methods. */
  async ask(method) {
    const done = once(this.asker.lines, 'line');
    this.asker.child.stdin.write(`${method}\n`);
    const [line] = await done;
    if (line !== 'done') throw new Error(`nova-api said ${line}`);
  }

  firehose(on) {
    return this.rabbit.admin.evaluate(`rabbit_trace:${on ? 'start' : 'stop'}(<<"/">>), true`);
  }

  write(name, text) {
    writeFileSync(join(this.#home, name), text);
  }

  /** Types the lines into a terminal, and keeps what it shows under the name; `seen` hears of output as it comes. */
  async record(name, lines, seen = () => undefined) {
    const shown = [];
    for (const line of lines) {
      const { code, output } = await this.#type(line, seen);
      shown.push(...(shown.length > 0 ? [''] : []), `$ ${line}`, ...this.#asReaderSees(output));
      if (code !== 0) shown.push('$ echo $?', String(code));
    }
    console.log(`\n== ${name}\n${shown.join('\n')}`);
    this.recorded.set(name, shown);
  }

  async versions() {
    const { rabbitmq_version: rabbitmq } = await this.#management('overview');
    const program = 'from importlib.metadata import version; print(version("oslo.messaging"))';
    const { output } = await ended(spawn(join(virtualEnvironment, 'bin/python'), ['-c', program]));
    return { rabbitmq, oslo: output.trim() };
  }

  async dispose() {
    for (const { child } of this.#services) child.kill('SIGKILL');
    await this.rabbit.dispose();
    rmSync(this.#home, { recursive: true });
  }

  #url() {
    return `rabbit://${USER.name}:${USER.password}@127.0.0.1:${this.rabbit.port}/`;
  }

  #serve(program, topic, server, version) {
    return this.#service(program, 'serve', this.#url(), topic, server, version);
  }

  async #service(program, ...args) {
    const child = spawn(join(virtualEnvironment, 'bin/python'), [own('services.py'), program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONWARNINGS: 'ignore' },
    });
    const lines = createInterface({ input: child.stdout });
    // Who waits for a line must hear that there will be none.
    child.once('exit', () => lines.emit('line', `${program} has ended`));
    const service = { child, lines };
    this.#services.push(service);
    const [line] = await once(lines, 'line');
    if (line !== 'ready') throw new Error(line);
    return service;
  }

  async #management(path) {
    const { name, password } = USER;
    const headers = { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
    const answer = await fetch(`http://127.0.0.1:${this.managementPort}/api/${path}`, { headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  /** Resolves when the management API knows the consumers of all queues. */
  async #counted() {
    let queues;
    do {
      await pause(100);
      queues = await this.#management('queues');
    } while (queues.length === 0 || queues.some(({ consumers }) => consumers === undefined || consumers === null));
  }

  /** `oslo-bus`, as a reader has it in the path. */
  #writeCommand() {
    const command = `exec node --import ${own('reader-names.mjs')} ${join(root, 'dist/oslo-bus.mjs')} "$@"`;
    mkdirSync(join(this.#home, 'bin'));
    writeFileSync(join(this.#home, 'bin/oslo-bus'), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }

  async #type(line, seen) {
    const shell = ['-c', `exec 2>&1\n${withTabs(line)}`];
    const child = spawn('timeout', ['-k', '2', String(SECONDS_OF_A_COMMAND), 'bash', ...shell], {
      cwd: this.#home,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: `${join(this.#home, 'bin')}:${process.env.PATH}`,
        HOME: this.#home,
        LANG: 'C.UTF-8',
        RECORDED_PORTS: JSON.stringify({ 'ctl1:5672': this.rabbit.port, 'ctl1:15672': this.managementPort }),
      },
    });
    const result = await ended(child, seen);
    if (result.code === 124)
      throw new Error(`'${line}' has not ended within ${SECONDS_OF_A_COMMAND} s:\n${result.output}`);
    return result;
  }

  /** Nothing of this machine, and nothing that is another path or name each time. */
  #asReaderSees(output) {
    const names = [
      [join(realpathSync(root), 'scripts/recording/services.py'), '/opt/nova/services.py'],
      [realpathSync(virtualEnvironment), '/usr'],
      [virtualEnvironment, '/usr'],
      [this.#home, '/home/you'],
      [this.rabbit.access.node, 'rabbit@ctl1'],
    ];
    const text = names.reduce((shown, [from, to]) => shown.replaceAll(from, to), output);
    for (const leak of [root, tmpdir(), `:${this.rabbit.port}`, `:${this.managementPort}`]) {
      if (text.includes(leak)) throw new Error(`a recording names this machine, by ${leak}:\n${text}`);
    }
    return text.trimEnd().split('\n');
  }
}

/** Where the line ends with two tabs, what bash offers there. */
function withTabs(line) {
  if (!line.endsWith('<TAB><TAB>')) return line;
  const words = line.replace('<TAB><TAB>', '');
  const last = words.endsWith(' ') ? " ''" : '';
  return `source <(oslo-bus completion bash)
 COMP_WORDS=(${words}${last}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_oslo_bus; printf '%s  ' "\${COMPREPLY[@]}"`;
}

async function ended(child, seen = () => undefined) {
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    seen(output);
  });
  const [code] = await once(child, 'close');
  return { code, output };
}
