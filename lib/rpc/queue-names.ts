import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import {
  newFanoutQueueName,
  newReplyQueueName,
  replyQueueName,
  stableFanoutQueueName,
  streamName,
} from '../wire/topology.js';
import { labelOf } from '../config/option-origins.js';
import { nextOfProcess } from '../config/process-counter.js';
import type { ResolvedRabbitOptions } from '../config/rabbit-options.js';

type NamingOptions = Pick<ResolvedRabbitOptions, 'hostname' | 'processname' | 'rabbitStreamFanout' | 'useQueueManager'>;

/** Every second program is called main.js: where it stands tells them apart, and from Python's. */
function ownProcessName(): string {
  const path = process.argv[1] ?? process.execPath;
  const place = createHash('sha256').update(path).digest('hex').slice(0, 8);
  return `node-${basename(path).replace(/\.\w+$/, '')}-${place}`;
}

/** How queues are called that belong to one process. */
export class QueueNames {
  constructor(private readonly options: NamingOptions) {}

  /** True when the next start of this service uses its reply queues again. */
  get keepReplyQueues(): boolean {
    return this.options.useQueueManager;
  }

  /** True when others, or the next start of this service, use its fanout queues. */
  get keepFanoutQueues(): boolean {
    return this.options.useQueueManager || this.options.rabbitStreamFanout;
  }

  /** @throws ConfigurationError */
  ofReplies(): string {
    return this.options.useQueueManager ? replyQueueName(this.stable()) : newReplyQueueName();
  }

  /** @throws ConfigurationError */
  ofFanout(topic: string): string {
    if (this.options.rabbitStreamFanout) return streamName(topic);
    return this.options.useQueueManager ? stableFanoutQueueName(topic, this.stable()) : newFanoutQueueName(topic);
  }

  private stable(): string {
    const option = labelOf(this.options, 'useQueueManager');
    const { hostname: host = hostname(), processname = ownProcessName() } = this.options;
    return `${host}:${processname}:${nextOfProcess(host, processname, { option })}`;
  }
}
