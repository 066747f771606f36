import type { MessageBroker } from '../../broker/broker.js';
import { longestTimerMs } from '../../events/longest-timer.js';
import { newUniqueId } from '../../wire/message-id.js';
import { encodeReply } from '../../wire/rpc/rpc-reply.js';
import type { IncomingRequest } from './incoming-request.js';

/** Shortest interval between heartbeats. */
const SHORTEST_INTERVAL_MS = 100;

/**
 * Tells a caller with a call monitor that its request is being worked on; stop it with the returned function.
 *
 * Mirrors `RPCDispatcher._watchdog`: a heartbeat at every half of `call_monitor_timeout`. Unlike Python's it
 * serves timeouts below 2 s too, and is also stopped when the handler fails. One that cannot be sent is
 * no news: the caller may have gone, or its queue may be on its way back.
 */
export function startHeartbeat(broker: MessageBroker, request: IncomingRequest): () => void {
  const { clientTimeout, msgId, replyQueue } = request;
  if (!clientTimeout || clientTimeout < 0 || !msgId || !replyQueue) return () => {};
  const intervalMs = Math.max(SHORTEST_INTERVAL_MS, (clientTimeout * 1000) / 2);
  let sending = false;
  const beat = async (): Promise<void> => {
    if (sending || (request.remainingMs ?? 1) <= 0) return;
    sending = true;
    const body = encodeReply(
      { msgId, result: null, failure: null, ending: false, uniqueId: newUniqueId() },
      broker.options.legacyBareMessages,
    );
    const message = {
      exchange: '',
      routingKey: replyQueue,
      mandatory: true,
      purpose: 'owed' as const,
      body,
      giveUpMs: intervalMs,
    };
    await broker.publish(message).catch(() => undefined);
    sending = false;
  };
  const timer = setInterval(() => void beat(), Math.min(intervalMs, longestTimerMs));
  timer.unref();
  return () => clearInterval(timer);
}
