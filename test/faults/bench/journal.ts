import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { now } from './clock.js';

export type Work = 'call' | 'cast' | 'fanout' | 'notification';

interface Sent {
  is: 'sent';
  id: string;
  work: Work;
  /** A stream of one kind of work from one client to one place. */
  lane: string;
}

/** How it ended for its sender. */
interface Ended {
  is: 'ended';
  id: string;
  outcome: 'answered' | 'confirmed' | 'failed' | 'wrong';
  code?: string;
  text?: string;
  /** Whether a failure says that nothing has run, or why; false: the sender cannot know. */
  clear?: boolean;
}

/** A handler was started with it. */
interface Ran {
  is: 'ran';
  id: string;
  server: string;
  redelivered: boolean;
  uniqueId?: string;
}

/** A listener has got it. */
interface Heard {
  is: 'heard';
  id: string;
  server: string;
}

/** Something that the library reported. */
interface Reported {
  is: 'event';
  who: string;
  type: string;
  level: string;
  text: string;
  to?: string;
}

/** What must never happen. */
interface Crashed {
  is: 'crash';
  who: string;
  text: string;
}

export type JournalNote = Crashed | Ended | Heard | Ran | Reported | Sent;
export type JournalEntry = JournalNote & { at: number };

/** Written in one step each, so that a killed process leaves what it has done. */
export class Journal {
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'a');
  }

  write(note: JournalNote): void {
    writeSync(this.file, `${JSON.stringify({ ...note, at: now() })}\n`);
  }
}

/** Reads on where it stopped the last time. */
export class JournalReader {
  private offset = 0;
  private rest = '';
  private readonly decoder = new StringDecoder();
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'a+');
  }

  read(): JournalEntry[] {
    const chunk = Buffer.alloc(1 << 16);
    for (let count = this.fill(chunk); count > 0; count = this.fill(chunk)) {
      this.rest += this.decoder.write(chunk.subarray(0, count));
    }
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    return lines.map((line) => JSON.parse(line) as JournalEntry);
  }

  close(): void {
    closeSync(this.file);
  }

  private fill(chunk: Buffer): number {
    const count = readSync(this.file, chunk, 0, chunk.length, this.offset);
    this.offset += count;
    return count;
  }
}
