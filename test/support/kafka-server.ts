import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { endWithThisProcess } from './rabbit-server.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

/** Kafka's own programs and all that they need: `scripts/setup.mjs` fetches them. */
const JARS = resolve('.cache/kafka');
const HEAP = ['-Xmx256m', '-XX:TieredStopAtLevel=1'];

export interface KafkaOptions {
  /** A second listener, with TLS and login. */
  secured?: { keyAndCertificate: string; authority: string; users: Readonly<Record<string, string>> };
  /** Lines added to server.properties, over those of ours. */
  configuration?: readonly string[];
}

/** Starts a Kafka of one's own, one node; ready when the promise resolves. Dispose of it in an `afterAll`. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const [port, securedPort, controllerPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const directory = await mkdtemp(join(tmpdir(), 'oslo-kafka-'));
  const server = new KafkaServer(directory, { port, securedPort, controllerPort }, options);
  await server.prepare();
  await server.start();
  return server;
}

interface Ports {
  readonly port: number;
  readonly securedPort: number;
  readonly controllerPort: number;
}

/** A private Kafka node on the loopback interface: own ports and data. It dies with the process that started it. */
export class KafkaServer {
  private process: ChildProcess | undefined;

  constructor(
    private readonly directory: string,
    private readonly ports: Ports,
    private readonly options: KafkaOptions,
  ) {}

  get address(): string {
    return `127.0.0.1:${this.ports.port}`;
  }

  /** Where TLS and a login are wanted. */
  get securedAddress(): string {
    return `127.0.0.1:${this.ports.securedPort}`;
  }

  get url(): string {
    return `kafka://${this.address}/`;
  }

  async prepare(): Promise<void> {
    if (!existsSync(JARS)) throw new Error('Kafka is not there: run `npm run setup`');
    await writeFile(this.file('server.properties'), this.properties().join('\n'));
    await writeFile(this.file('log4j2.properties'), LOGGING.join('\n'));
    const users = Object.entries(this.options.secured?.users ?? {});
    const scram = users.flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-256=[name=${name},password=${password}]`,
    ]);
    const id = randomBytes(16).toString('base64url');
    // An id may begin with a dash: as a word of its own it would be taken for an option.
    const format = ['format', `--cluster-id=${id}`, '-c', this.file('server.properties'), ...scram];
    const { status, stderr } = spawnSync('java', [...this.java('kafka.tools.StorageTool'), ...format], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`Kafka's data could not be prepared: ${stderr}`);
  }

  /** On the data of last time. */
  async start(): Promise<void> {
    const log = openSync(this.file('console.log'), 'a');
    const args = [...this.java('kafka.Kafka'), this.file('server.properties')];
    this.process = spawn('java', args, { stdio: ['ignore', log, log], detached: true, cwd: this.directory });
    closeSync(log);
    endWithThisProcess([this.process]);
    await eventually(() => this.accepts(), 'Kafka accepting connections', 60_000).catch((error: unknown) =>
      this.explain(error),
    );
  }

  /** As a power failure. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Connections stay open and nothing answers any more, as with a hanging machine. */
  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  /** Orderly. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { process: running } = this;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise<void>((settle) => running.once('exit', () => settle()));
    running.kill(signal);
    await gone;
  }

  private accepts(): Promise<boolean> {
    if (this.process?.exitCode !== null) throw new Error('Kafka ended while it was starting');
    return new Promise((settle) => {
      const socket = connect(this.ports.port, '127.0.0.1');
      socket.once('connect', () => settle(true)).once('error', () => settle(false));
      socket.once('connect', () => socket.destroy());
    });
  }

  private java(program: string): string[] {
    const logging = `-Dlog4j2.configurationFile=${this.file('log4j2.properties')}`;
    return [...HEAP, logging, '-cp', join(JARS, '*'), program];
  }

  private file(name: string): string {
    return join(this.directory, name);
  }

  private properties(): string[] {
    const { port, securedPort, controllerPort } = this.ports;
    const { secured, configuration = [] } = this.options;
    const listeners = [`PLAINTEXT://127.0.0.1:${port}`, ...(secured ? [`SASL_SSL://127.0.0.1:${securedPort}`] : [])];
    return [
      'process.roles=broker,controller',
      'node.id=1',
      `listeners=${[...listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(',')}`,
      `advertised.listeners=${listeners.join(',')}`,
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL',
      `log.dirs=${this.file('data')}`,
      // One node is enough for everything, and nobody waits for more.
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      // Of a node that was killed the controller takes none with its number before.
      'broker.session.timeout.ms=2000',
      'broker.heartbeat.interval.ms=200',
      ...(secured ? securedProperties(secured) : []),
      ...configuration,
    ];
  }

  private async explain(cause: unknown): Promise<never> {
    const log = await readFile(this.file('console.log'), 'utf8').catch(() => '');
    throw new Error(`Kafka did not start:\n${log.slice(-4_000)}`, { cause });
  }
}

const LOGGING = [
  'appender.console.type=Console',
  'appender.console.name=console',
  'appender.console.layout.type=PatternLayout',
  'appender.console.layout.pattern=%d %p %m%n',
  'rootLogger.level=warn',
  'rootLogger.appenderRef.console.ref=console',
];

function securedProperties({ keyAndCertificate, authority, users }: NonNullable<KafkaOptions['secured']>): string[] {
  const plain = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  const login = 'org.apache.kafka.common.security';
  return [
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256',
    `listener.name.sasl_ssl.plain.sasl.jaas.config=${login}.plain.PlainLoginModule required ${plain.join(' ')};`,
    `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${login}.scram.ScramLoginModule required;`,
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${keyAndCertificate}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${authority}`,
    // Without the listener's name it would not count where there is a login.
    'listener.name.sasl_ssl.ssl.client.auth=required',
  ];
}
