import { createReadStream } from 'node:fs';
import { textOf } from '../../errors/text-of.js';
import { LONGEST_LINE, type RecordingHead, RecordingReader } from '../../observe/traffic/recording.js';
import type { TrafficRecord } from '../../observe/traffic/traffic-record.js';
import { UnreadableFile } from '../exit-codes.js';

/** A recording that is being read, one record at a time: it may be larger than the memory. */
export interface RecordedTraffic {
  readonly head: RecordingHead;
  readonly records: AsyncIterable<TrafficRecord>;
}

/**
 * Opens a recording. What stands behind the last line's end is left out: whoever wrote it was stopped there.
 *
 * @throws UnreadableFile no recording, or a damaged one: at the line that is wrong, maybe later
 * @throws Error the file cannot be read
 */
export async function openRecording(path: string): Promise<RecordedTraffic> {
  const reader = new RecordingReader();
  const lines = linesOf(createReadStream(path, 'utf8'));
  const read = (line: string): TrafficRecord | undefined => {
    try {
      return reader.read(line);
    } catch (error) {
      throw new UnreadableFile(`${path}: ${textOf(error)}`, { cause: error });
    }
  };
  const first = await lines.next();
  read(first.done ? '' : first.value);
  return { head: reader.head!, records: recordsOf(lines, read) };
}

async function* recordsOf(
  lines: AsyncIterable<string>,
  read: (line: string) => TrafficRecord | undefined,
): AsyncGenerator<TrafficRecord> {
  for await (const line of lines) {
    const record = read(line);
    if (record) yield record;
  }
}

/** Lines with their ends; one that is too long is handed on as far as it goes, to be refused. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string, void> {
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const lines = chunk.split('\n');
    const rest = lines.pop()!;
    if (lines.length > 0) {
      lines[0] = parts.join('') + lines[0]!;
      yield* lines;
      [parts, length] = [[], 0];
    }
    parts.push(rest);
    length += rest.length;
    if (length > LONGEST_LINE) yield parts.join('');
  }
}
