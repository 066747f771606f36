import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A new folder, for the tests of a spec file or of a `describe`. It goes with them, whatever it holds. */
export function specFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'oslo-bus-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
