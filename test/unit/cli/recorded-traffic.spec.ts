import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UnreadableFile } from '../../../lib/cli/exit-codes.js';
import { openRecording } from '../../../lib/cli/recorded-traffic.js';
import { writeHead, writeRecord } from '../../../lib/observe/recording.js';
import type { TrafficRecord } from '../../../lib/observe/traffic-record.js';
import { request } from '../../support/traffic-records.js';

const directory = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
const head = writeHead({ at: '2026-01-01T00:00:00Z', source: 'firehose', url: 'rabbit://h/', masked: true });
const records = [request({ id: 'a' }), request({ id: 'b', message: { args: { text: 'é'.repeat(50_000) } } })];
const lines = records.map(writeRecord);

async function read(text: string): Promise<TrafficRecord[]> {
  const file = join(directory, 'recording');
  writeFileSync(file, text);
  const recording = await openRecording(file);
  expect(recording.head).toMatchObject({ source: 'firehose', masked: true });
  const all: TrafficRecord[] = [];
  for await (const record of recording.records) all.push(record);
  return all;
}

describe('a recording in a file', () => {
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is read as it was written', async () => {
    expect(await read(head + lines.join(''))).toEqual(records);
    expect(await read(head)).toEqual([]);
  });

  it('that ends within a line is read up to there', async () => {
    expect(await read(`${head}${lines[0]}${lines[1]!.slice(0, 100)}`)).toEqual([records[0]]);
  });

  it('that is damaged is refused, with the file and the line', async () => {
    const damaged = read(`${head}${lines[0]}nonsense\n${lines[1]}`);
    await expect(damaged).rejects.toBeInstanceOf(UnreadableFile);
    await expect(damaged).rejects.toThrow(/recording: .*line 3 of the recording/);
  });

  it.each(['', 'nonsense', '{"oslo-bus":"recording","v":1}\n'])("'%s' is none", async (text) => {
    await expect(read(text)).rejects.toBeInstanceOf(UnreadableFile);
  });
});
