import type { EventChannel } from '../../events/event-channel.js';
import type { ClosingRequests } from './closing-requests.js';
import type { ConnectionSupervisor } from './connection-supervisor.js';
import type { ConsumeLimits } from './consume-channel.js';
import type { QueueInspector } from './queue-inspector.js';

/** What a consumer works with. */
export interface ConsumerParts {
  supervisor: ConnectionSupervisor;
  events: EventChannel;
  inspector: QueueInspector;
  closing: ClosingRequests;
  limits: ConsumeLimits;
  onEnded(): void;
}
