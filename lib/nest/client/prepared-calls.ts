import type { RpcCallContext } from '../../rpc/client/rpc-call-context.js';
import { changesOf, type OsloRpcPattern } from '../shared/oslo-rpc.pattern.js';

/** Patterns are few; what makes them many (a server's name, a timeout) must not grow without bound. */
const MOST_KEPT = 500;

/** A client's prepared contexts: equal patterns are prepared once. */
export class PreparedCalls {
  private readonly kept = new Map<string, RpcCallContext>();

  constructor(private readonly client: RpcCallContext) {}

  /** @throws ConfigurationError for settings that make no sense */
  for(pattern: OsloRpcPattern, timeout?: number): RpcCallContext {
    const ofPattern = changesOf(pattern);
    if (!ofPattern && timeout === undefined) return this.client;
    const changes = timeout === undefined ? ofPattern! : { ...ofPattern, timeout };
    const key = JSON.stringify(changes);
    const known = this.kept.get(key);
    if (known) return known;
    const prepared = this.client.prepare(changes);
    if (this.kept.size >= MOST_KEPT) this.kept.clear();
    this.kept.set(key, prepared);
    return prepared;
  }
}
