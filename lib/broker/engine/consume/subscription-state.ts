import type { Session } from '../connection/session.js';
import { State, type Transitions } from '../state.js';
import type { ConsumeChannel } from './consume-channel.js';

/**
 * `waiting`: for a connection. `restoring`: declares and consumes what is not consumed, on a channel that may be there
 * already. `paused`: too much is held. `draining`: takes nothing more, and settles what it has.
 */
export type SubscriptionState =
  | { readonly name: 'backingOff'; readonly timer: NodeJS.Timeout; readonly channel: ConsumeChannel | undefined }
  | { readonly name: 'closed' }
  | {
      readonly name: 'consuming';
      readonly channel: ConsumeChannel;
      /** Of the next check, on the clock of `performance.now()`. */
      readonly checkAt: number;
      readonly timer?: NodeJS.Timeout;
    }
  | { readonly name: 'draining'; readonly channel: ConsumeChannel | undefined; readonly cancelled: Promise<void> }
  | { readonly name: 'paused'; readonly channel: ConsumeChannel }
  | { readonly name: 'restoring'; readonly channel: ConsumeChannel | undefined; readonly session: Session }
  | { readonly name: 'waiting' };

const following: Transitions<SubscriptionState['name']> = {
  waiting: ['restoring', 'draining'],
  restoring: ['restoring', 'consuming', 'paused', 'backingOff', 'waiting', 'draining'],
  consuming: ['consuming', 'paused', 'backingOff', 'waiting', 'draining'],
  paused: ['backingOff', 'waiting', 'draining'],
  backingOff: ['restoring', 'backingOff', 'paused', 'waiting', 'draining'],
  draining: ['closed'],
  closed: [],
};

/** The life of a subscription, at its beginning. */
export function newSubscriptionState(): State<SubscriptionState> {
  return new State<SubscriptionState>('subscription', following, { name: 'waiting' });
}
