import type { JournalEntry, Work } from './journal.js';

type EntryOf<Is extends JournalEntry['is']> = Extract<JournalEntry, { is: Is }>;

/** One piece of work, from all sides. */
export interface Item {
  sent: EntryOf<'sent'>;
  ended?: EntryOf<'ended'>;
  ran: EntryOf<'ran'>[];
  heard: EntryOf<'heard'>[];
}

/** What happened in one round, put together from the journals of all processes. */
export class Ledger {
  readonly items = new Map<string, Item>();
  readonly events: EntryOf<'event'>[] = [];
  readonly crashes: EntryOf<'crash'>[] = [];
  /** Arrived before it was read that it was sent. */
  private early: (EntryOf<'ended'> | EntryOf<'heard'> | EntryOf<'ran'>)[] = [];

  add(entries: readonly JournalEntry[]): void {
    const later = [...this.early, ...entries.filter((entry) => !this.begin(entry))] as typeof this.early;
    this.early = later.filter((entry) => !this.attach(entry));
  }

  of(...kinds: Work[]): Item[] {
    return [...this.items.values()].filter(({ sent }) => kinds.includes(sent.work));
  }

  get lanes(): string[] {
    return [...new Set([...this.items.values()].map(({ sent }) => sent.lane))];
  }

  private begin(entry: JournalEntry): boolean {
    if (entry.is === 'sent') this.items.set(entry.id, { sent: entry, ran: [], heard: [] });
    else if (entry.is === 'event') this.events.push(entry);
    else if (entry.is === 'crash') this.crashes.push(entry);
    else return false;
    return true;
  }

  private attach(entry: EntryOf<'ended'> | EntryOf<'heard'> | EntryOf<'ran'>): boolean {
    const item = this.items.get(entry.id);
    if (!item) return false;
    if (entry.is === 'ended') item.ended = entry;
    else if (entry.is === 'ran') item.ran.push(entry);
    else item.heard.push(entry);
    return true;
  }
}

/** When it has done what it was sent for, as far as that is known; a fanout on every server. */
export function doneAt({ sent, ended, ran, heard }: Item, servers: number): number | undefined {
  if (sent.work === 'call') return ended?.outcome === 'answered' ? ended.at : undefined;
  if (sent.work === 'notification') return heard[0]?.at;
  if (sent.work === 'cast') return ran[0]?.at;
  return new Set(ran.map(({ server }) => server)).size === servers ? Math.max(...ran.map(({ at }) => at)) : undefined;
}
