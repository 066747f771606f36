import { createWriteStream, fchmodSync, fstatSync, openSync, type WriteStream } from 'node:fs';
import type { MessageBroker } from '../../broker/broker.js';
import { type RecordingHead, writeHead, writeRecord } from '../../observe/traffic/recording.js';
import type { TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { UnreadableFile } from '../exit-codes.js';

const OWNER_ONLY = 0o600;
/** A disk that is slower than the bus must not fill the memory. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

/** By which a replay knows the bus again. */
export function busFacts({ url, clusterName }: MessageBroker): Pick<RecordingHead, 'cluster' | 'url'> {
  return { url, ...(clusterName !== undefined && { cluster: clusterName }) };
}

/** A recording that is being written; readable for its owner alone. */
export class RecordingFile {
  /** Records that the disk was too slow for. */
  unwritten = 0;
  private readonly stream: WriteStream;
  private failure: Error | undefined;

  /** `failed`: the disk is full, or the like, and nothing more is written. @throws Error the file cannot be written */
  constructor(
    private readonly path: string,
    head: Omit<RecordingHead, 'oslo-bus' | 'v'>,
    failed: () => void,
  ) {
    const fd = openSync(path, 'w', OWNER_ONLY);
    // One that was there keeps its mode. A device belongs to others.
    if (fstatSync(fd).isFile()) fchmodSync(fd, OWNER_ONLY);
    this.stream = createWriteStream(path, { fd });
    this.stream.on('error', (error) => {
      this.failure = error;
      failed();
    });
    this.stream.write(writeHead(head));
  }

  write(record: TrafficRecord): void {
    if (this.stream.writableLength > MOST_WAITING_BYTES || this.failure) this.unwritten += 1;
    else this.stream.write(writeRecord(record));
  }

  /** @throws UnreadableFile the disk is full, or the like: the last messages are missing */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.stream.end(() => resolve()));
    if (!this.failure) return;
    const reason = `${this.path}: the recording has ended early: ${this.failure.message}`;
    throw new UnreadableFile(reason, { cause: this.failure });
  }
}
