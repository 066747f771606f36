import { createWriteStream, fchmodSync, openSync, type WriteStream } from 'node:fs';
import { type RecordingHead, writeHead, writeRecord } from '../../observe/traffic/recording.js';
import type { TrafficRecord } from '../../observe/traffic/traffic-record.js';

const OWNER_ONLY = 0o600;
/** A disk that is slower than the bus must not fill the memory. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

/** A recording that is being written; readable for its owner alone. */
export class RecordingFile {
  /** Records that the disk was too slow for. */
  unwritten = 0;
  private readonly stream: WriteStream;
  private failure: Error | undefined;

  /** @throws Error the file cannot be written */
  constructor(path: string, head: Omit<RecordingHead, 'oslo-bus' | 'v'>) {
    const fd = openSync(path, 'w', OWNER_ONLY);
    // One that was there keeps its mode.
    fchmodSync(fd, OWNER_ONLY);
    this.stream = createWriteStream(path, { fd });
    this.stream.on('error', (error) => (this.failure = error));
    this.stream.write(writeHead(head));
  }

  write(record: TrafficRecord): void {
    if (this.stream.writableLength > MOST_WAITING_BYTES || this.failure) this.unwritten += 1;
    else this.stream.write(writeRecord(record));
  }

  /** @throws Error the disk is full, or the like */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.stream.end(() => resolve()));
    if (this.failure) throw this.failure;
  }
}
