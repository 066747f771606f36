import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RabbitOptions } from '../../../lib/index.js';
import { AmqpProxy } from '../../support/amqp-proxy.js';
import { eventually } from '../../support/eventually.js';
import type { QueueInfo, RabbitAdmin } from '../../support/rabbit-admin.js';
import { startCluster } from '../../support/rabbit-cluster.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';
import type { MemoryUse, ProgramSettings } from '../programs/program.js';
import { type JournalEntry, JournalReader } from './journal.js';
import { Participant } from './participant.js';
import { type Standing, standing } from './standing.js';

/** `line`: one broker behind a proxy; `cluster`: three nodes, everything in quorum queues. */
export type SceneKind = 'broker' | 'cluster' | 'line';

const QUORUM: RabbitOptions = { rabbitQuorumQueue: true, rabbitTransientQuorumQueue: true };
/** What only the regular look at the broker can find is found within a test's patience. */
export const OFTEN_MS = 3_000;
const OFTEN: RabbitOptions = { consumerCheckIntervalMs: OFTEN_MS };
/** A node that sees no majority any more lets its clients go. */
const CLUSTER = { configuration: ['cluster_partition_handling = pause_minority'] };
const VHOST = 'faults';
/** Seconds that a call waits. */
export const CALL_TIMEOUT = 6;
const PAUSE_MS = 30;

/** A bus with two servers and several clients of it, each in a process of its own, at steady work. */
export class Scene {
  readonly vhost = VHOST;
  readonly services = new Map<string, Participant>();
  caller!: Participant;
  proxy: AmqpProxy | undefined;
  private readonly directory = resolve('.cache/faults/journals', `${process.pid}-${Date.now()}`);
  private readonly readers = new Map<string, JournalReader>();

  private constructor(
    readonly kind: SceneKind,
    readonly nodes: readonly RabbitServer[],
  ) {}

  static async open(kind: SceneKind): Promise<Scene> {
    const nodes = kind === 'cluster' ? await startCluster(3, CLUSTER) : [await startRabbit()];
    const scene = new Scene(kind, nodes);
    try {
      await scene.populate();
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  /** The node that is asked. */
  get rabbit(): RabbitServer {
    const running = this.nodes.find((node) => node.answering);
    if (!running) throw new Error('no node is running');
    return running;
  }

  get admin(): RabbitAdmin {
    return this.rabbit.admin;
  }

  get participants(): Participant[] {
    return [this.caller, ...this.services.values()];
  }

  service(name: string): Participant {
    return this.services.get(name)!;
  }

  /** Starts a server, in place of one that has ended. */
  async startService(name: string): Promise<void> {
    this.services.set(name, await Participant.start('service', this.settings(name)));
  }

  standing(): Promise<Standing> {
    return standing(this.admin, VHOST);
  }

  /** What was written down since the last time. */
  read(): JournalEntry[] {
    return [...this.readers.values()].flatMap((reader) => reader.read());
  }

  /** Heap of each process after collecting its garbage. */
  async memory(): Promise<Record<string, number>> {
    const uses = this.participants.map(
      async (participant) => [participant.name, (await participant.tell<MemoryUse>('memory')).heapMiB] as const,
    );
    return Object.fromEntries(await Promise.all(uses));
  }

  /**
   * Nothing is ready or unacknowledged in any queue that is consumed. What queues count as unacknowledged though no
   * channel of the broker holds it is told: its acknowledgement was lost inside the broker.
   */
  async drained(): Promise<string | undefined> {
    let rest: QueueInfo[] = [];
    const isEmpty = async (): Promise<boolean> => {
      const queues = await this.admin.listQueues(VHOST);
      rest = queues.filter((one) => one.consumers > 0 && one.messagesReady + one.messagesUnacknowledged > 0);
      return rest.length === 0;
    };
    try {
      await eventually(isEmpty, '', 20_000);
      return undefined;
    } catch (error) {
      const each = rest.map(
        (one) => `${one.name} (${one.messagesReady} ready, ${one.messagesUnacknowledged} unacknowledged)`,
      );
      const text = `messages stay in ${each.join(', ')}`;
      const held = await this.admin.messagesHeld();
      if (held > 0 || rest.some(({ messagesReady }) => messagesReady > 0)) throw new Error(text, { cause: error });
      return `${text}, and no channel of the broker holds any`;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.participants.filter(Boolean).map((participant) => participant.kill()));
    await this.proxy?.close();
    await Promise.all(this.nodes.map((node) => node.dispose()));
    for (const reader of this.readers.values()) reader.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async populate(): Promise<void> {
    mkdirSync(this.directory, { recursive: true });
    await this.admin.addVhost(VHOST, this.rabbit.user);
    if (this.kind === 'line') this.proxy = await AmqpProxy.start(this.rabbit);
    await this.startService('a');
    await this.startService('b');
    this.caller = await Participant.start('caller', this.settings('caller'));
  }

  private settings(name: string): ProgramSettings {
    const journal = join(this.directory, name);
    if (!this.readers.has(name)) this.readers.set(name, new JournalReader(journal));
    const isCluster = this.kind === 'cluster';
    const common = this.kind === 'line' ? { ...OFTEN, heartbeatTimeoutThreshold: 3 } : OFTEN;
    return {
      name,
      journal,
      url: this.url,
      options: { ...common, ...(isCluster ? QUORUM : {}) },
      durable: { ...common, ...(isCluster ? QUORUM : { amqpDurableQueues: true }) },
      timeout: CALL_TIMEOUT,
      pauseMs: PAUSE_MS,
    };
  }

  private get url(): string {
    const ports = this.proxy ? [this.proxy.port] : this.nodes.map(({ port }) => port);
    return `rabbit://${ports.map((port) => `guest:guest@127.0.0.1:${port}`).join(',')}/${VHOST}`;
  }
}
