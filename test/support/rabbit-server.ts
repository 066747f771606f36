import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, closeSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { CertificateFiles } from './certificates.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { type AdminAccess, RabbitAdmin } from './rabbit-admin.js';
import { type RabbitAddress, rabbitUrl } from './rabbit-url.js';

// The distribution's front end changes user and insists on the system's directories: the script behind it does not.
const PROGRAMS = [
  '/usr/lib/rabbitmq/bin/rabbitmq-server',
  '/usr/sbin/rabbitmq-server',
  '/usr/local/sbin/rabbitmq-server',
];
const RUN_DIRECTORY = resolve('.cache/rabbitmq');

export interface RabbitServerOptions {
  /** Lines added to rabbitmq.conf. */
  configuration?: string[];
  /** Plugins to enable, e.g. `rabbitmq_management`. @defaultValue none */
  plugins?: string[];
}

/** Starts a RabbitMQ node of one's own; ready when the promise resolves. Stop it in an `afterAll`. */
export async function startRabbit(options: RabbitServerOptions = {}): Promise<RabbitServer> {
  const [port, epmdPort, distributionPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const server = new RabbitServer({ port, epmdPort, distributionPort, options });
  await server.prepare();
  await server.start();
  return server;
}

/** Lines of rabbitmq.conf: TLS on a port of its own, for clients whose certificate, if they have one, the authority has signed. */
export function tlsConfiguration(port: number, authority: CertificateFiles, own: CertificateFiles): string[] {
  return [
    `listeners.ssl.1 = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${authority.cert}`,
    `ssl_options.certfile = ${own.cert}`,
    `ssl_options.keyfile = ${own.key}`,
    'ssl_options.verify = verify_peer',
  ];
}

interface RabbitServerSettings {
  port: number;
  epmdPort: number;
  distributionPort: number;
  /** Of a cluster's nodes the same. @defaultValue one of its own */
  cookie?: string;
  /** Another node of the cluster has started the epmd of all. */
  withoutEpmd?: boolean;
  options: RabbitServerOptions;
}

/**
 * A private RabbitMQ node on the loopback interface: own ports, data, cookie and epmd.
 * It dies with the process that started it, however that ends.
 */
export class RabbitServer implements RabbitAddress {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'guest';
  readonly password = 'guest';
  readonly access: AdminAccess & { kind: 'erl_call' };
  readonly admin: RabbitAdmin;
  private readonly directory: string;
  private frozen = false;
  private broker: ChildProcess | undefined;
  private epmd: ChildProcess | undefined;

  constructor(private readonly settings: RabbitServerSettings) {
    const name = `oslo-${process.pid}-${randomBytes(4).toString('hex')}`;
    const cookie = settings.cookie ?? randomBytes(12).toString('hex').toUpperCase();
    this.port = settings.port;
    this.directory = join(RUN_DIRECTORY, name);
    this.access = { kind: 'erl_call', node: `${name}@localhost`, cookie, epmdPort: settings.epmdPort };
    this.admin = new RabbitAdmin(this.access);
  }

  /** Of the default virtual host `/`. */
  get url(): string {
    return rabbitUrl(this);
  }

  get running(): boolean {
    return this.broker !== undefined && isRunning(this.broker);
  }

  /** Running, and not frozen. */
  get answering(): boolean {
    return this.running && !this.frozen;
  }

  async prepare(): Promise<void> {
    const { configuration = [], plugins = [] } = this.settings.options;
    await removeLeftovers();
    await mkdir(this.directory, { recursive: true });
    await writeFile(join(this.directory, '.erlang.cookie'), this.access.cookie, { mode: 0o400 });
    await writeFile(join(this.directory, 'rabbitmq-env.conf'), '');
    await writeFile(join(this.directory, 'plugins'), `[${plugins.join(',')}].\n`);
    await writeFile(
      join(this.directory, 'rabbitmq.conf'),
      [
        `listeners.tcp.1 = ${this.host}:${this.port}`,
        'log.console = true',
        'log.console.level = warning',
        'log.file = false',
        'disk_free_limit.absolute = 1MB',
        'vm_memory_high_watermark.relative = 0.9',
        ...configuration,
      ].join('\n'),
    );
  }

  /** Starts the node on its data of last time. Resolves when it accepts connections. */
  async start(): Promise<void> {
    if (this.running) return;
    this.frozen = false;
    this.epmd ??= this.settings.withoutEpmd ? undefined : this.startEpmd();
    const log = openSync(join(this.directory, 'console.log'), 'a');
    this.broker = spawn(rabbitProgram(), [], {
      cwd: this.directory,
      env: this.environment(),
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    endWithThisProcess(this.epmd ? [this.broker, this.epmd] : [this.broker]);
    await this.booted();
  }

  /** Orderly: connections are closed by the broker, messages are kept. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    const gone = this.ended();
    await this.admin.evaluate('rabbit:stop(), init:stop(), true').catch(() => this.signal('SIGKILL'));
    await gone;
  }

  /** As a power failure: no goodbye on any connection, only the socket dies. */
  async kill(): Promise<void> {
    const gone = this.ended();
    this.signal('SIGKILL');
    await gone;
  }

  /** The node stays, its listener and all connections go. */
  async stopApp(): Promise<void> {
    await this.admin.evaluate('rabbit:stop(), true');
  }

  async startApp(): Promise<void> {
    await this.admin.evaluate('rabbit:start(), true');
    await this.booted();
  }

  /** Connections stay open and nothing answers any more, as with a hanging machine. */
  freeze(): void {
    this.frozen = true;
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
    this.frozen = false;
  }

  /** Kills the node and removes everything it left. */
  async dispose(): Promise<void> {
    await this.kill();
    // One that has ended by itself has given its number back: it may be anybody's.
    if (this.epmd?.pid !== undefined && isRunning(this.epmd)) killGroup(this.epmd.pid, 'SIGKILL');
    this.epmd = undefined;
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private startEpmd(): ChildProcess {
    const { epmdPort } = this.settings;
    return spawn('epmd', ['-port', String(epmdPort), '-address', this.host], { stdio: 'ignore', detached: true });
  }

  private environment(): NodeJS.ProcessEnv {
    const inDirectory = (name: string): string => join(this.directory, name);
    return {
      PATH: process.env['PATH'],
      HOME: this.directory,
      LANG: 'C.UTF-8',
      ERL_EPMD_PORT: String(this.settings.epmdPort),
      ERL_EPMD_ADDRESS: this.host,
      RABBITMQ_NODENAME: this.access.node,
      RABBITMQ_DIST_PORT: String(this.settings.distributionPort),
      RABBITMQ_CONF_ENV_FILE: inDirectory('rabbitmq-env.conf'),
      RABBITMQ_CONFIG_FILE: inDirectory('rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: inDirectory('plugins'),
      RABBITMQ_MNESIA_BASE: inDirectory('mnesia'),
      RABBITMQ_LOG_BASE: inDirectory('log'),
      // Schedulers that spin while idle would take the processor from the tests.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
    };
  }

  /**
   * The listener opens before the boot is over, so the node is asked. While the process `rabbit_boot` lives, being
   * told to start again is taken for the boot that is under way, and nothing happens.
   */
  private async booted(): Promise<void> {
    const isBooted = async (): Promise<boolean> => {
      if (!this.running) throw new Error('RabbitMQ ended while it was starting');
      return this.admin.evaluate<boolean>('rabbit:is_booted() andalso whereis(rabbit_boot) =:= undefined');
    };
    await eventually(isBooted, 'RabbitMQ being booted', 60_000).catch((error: unknown) => this.explain(error));
  }

  private ended(): Promise<void> {
    const { broker } = this;
    if (!broker || !this.running) return Promise.resolve();
    return new Promise((settle) => broker.once('exit', () => settle()));
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.running && this.broker?.pid !== undefined) killGroup(this.broker.pid, signal);
  }

  private async explain(cause: unknown): Promise<never> {
    const log = await readFile(join(this.directory, 'console.log'), 'utf8').catch(() => '');
    throw new Error(`RabbitMQ did not start:\n${log.slice(-4_000)}`, { cause });
  }
}

/** Data of nodes whose processes were killed before they could clean up. */
async function removeLeftovers(): Promise<void> {
  const directories = await readdir(RUN_DIRECTORY).catch((): string[] => []);
  const gone = directories.filter((name) => !isAlive(Number(name.split('-')[1])));
  await Promise.all(gone.map((name) => rm(join(RUN_DIRECTORY, name), { recursive: true, force: true, maxRetries: 5 })));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export function rabbitProgram(): string {
  const program = PROGRAMS.find((candidate) => existsSync(candidate));
  if (program === undefined) throw new Error('rabbitmq-server is not installed: run `npm run setup`');
  if (spawnSync('erl_call', [], { stdio: 'ignore' }).error)
    throw new Error('erl_call (part of Erlang) is not installed');
  return program;
}

/** A shell that outlives us reads from a pipe that only we hold open: its end is our end. */
export function endWithThisProcess(children: ChildProcess[]): void {
  const groups = children.map(({ pid }) => `-${pid}`).join(' ');
  const reaper = spawn('sh', ['-c', `read _; for g in ${groups}; do kill -9 $g; done`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  reaper.unref();
  children[0]?.once('exit', () => reaper.kill('SIGKILL'));
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended by itself.
  }
}
