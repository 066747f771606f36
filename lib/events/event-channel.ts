import { LogFlood } from './log-flood.js';
import type { MessagingEvent } from './messaging-event.js';

/**
 * Told every event of a channel, as it happens.
 *
 * @publicApi
 */
export type MessagingEventListener = (event: MessagingEvent) => void;

/**
 * Reports everything worth reporting, as values.
 *
 * A client or server on a broker has a scope of the broker's channel: its listeners hear its own events
 * and the broker's, the broker's hear those of all scopes. A listener that throws harms nobody. A
 * warning or error that nobody listens to is printed, so that nothing is lost silently.
 *
 * @publicApi
 */
export class EventChannel {
  private readonly listeners = new Set<MessagingEventListener>();
  private readonly watchers = new Set<MessagingEventListener>();
  private readonly scopes = new Set<EventChannel>();

  constructor(private readonly parent?: EventChannel) {}

  /** Calls `listener` with every event from now on; the returned function ends that. */
  subscribe(listener: MessagingEventListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Like `subscribe`, for our own parts: what only they hear still counts as unheard. */
  watch(watcher: MessagingEventListener): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  emit(event: MessagingEvent): void {
    const heard = this.tell(event) + (this.parent?.tellListeners(event) ?? 0);
    if (heard === 0) printUnheard(event);
  }

  /** A channel inside this one. */
  scope(): EventChannel {
    const scope = new EventChannel(this);
    this.scopes.add(scope);
    return scope;
  }

  /** Ends a scope: it hears no more of the channel that it was made in. */
  detach(): void {
    this.parent?.scopes.delete(this);
  }

  private tell(event: MessagingEvent): number {
    let heard = this.tellListeners(event);
    for (const scope of this.scopes) heard += scope.tell(event);
    return heard;
  }

  private tellListeners(event: MessagingEvent): number {
    for (const listener of [...this.watchers, ...this.listeners]) {
      try {
        listener(event);
      } catch (error) {
        console.error('nestjs-oslo-messaging: an event listener failed', error);
      }
    }
    return this.listeners.size;
  }
}

function print(line: string): void {
  console.error(`nestjs-oslo-messaging: ${line}`);
}

const flood = new LogFlood(print);

function printUnheard(event: MessagingEvent): void {
  if ((event.level === 'warn' || event.level === 'error') && flood.admits(event)) print(event.message);
}
