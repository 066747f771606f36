import type { MessagingEvent } from './messaging-event.js';

/** So many lines of one kind are written in an interval; the rest are counted. */
const linesPerInterval = 10;
const intervalMs = 10_000;

interface Kind {
  /** On the clock of `performance.now()`. */
  since: number;
  lines: number;
  held: number;
  /** Of what was held last. */
  message: string;
}

/**
 * Keeps a log readable while thousands of events of one kind come: the first are written, and how many more there
 * were. Who subscribes to events hears each of them.
 */
export class LogFlood {
  private readonly kinds = new Map<string, Kind>();

  /** `write` takes the line that stands for those that were held back. */
  constructor(private readonly write: (line: string) => void) {}

  /** True when the event is to be written by itself. */
  admits(event: MessagingEvent): boolean {
    if (isNeverMany(event)) return true;
    const name = kindOf(event);
    const kind = this.kindNow(name);
    kind.lines += 1;
    if (kind.lines <= linesPerInterval) return true;
    if (kind.held === 0) setTimeout(() => this.tell(name, kind), intervalMs).unref();
    kind.held += 1;
    kind.message = event.message;
    return false;
  }

  private kindNow(name: string): Kind {
    const now = performance.now();
    const known = this.kinds.get(name);
    if (known && (known.held > 0 || now - known.since < intervalMs)) return known;
    const kind = { since: now, lines: 0, held: 0, message: '' };
    this.kinds.set(name, kind);
    return kind;
  }

  private tell(name: string, { held, message }: Kind): void {
    this.kinds.delete(name);
    this.write(`${held} more of ${name} in ${intervalMs / 1000} s, the last: ${message}`);
  }
}

/** Connections pause before they are tried again, and what an application itself throws is its own; who calls what is not there is not. */
function isNeverMany({ level, type }: MessagingEvent): boolean {
  if (level === 'debug' || level === 'log' || type === 'connection-changed') return true;
  return type === 'handler-failed' && level === 'error';
}

function kindOf(event: MessagingEvent): string {
  return 'reason' in event ? `${event.type} (${event.reason})` : event.type;
}
