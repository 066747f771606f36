import 'reflect-metadata';
import { vi } from 'vitest';

/** The second that Vitest waits for by itself is short on a busy machine. */
const patienceMs = 4_000;

const { waitFor } = vi;
vi.waitFor = (callback, options) =>
  waitFor(callback, typeof options === 'object' ? options : { timeout: options ?? patienceMs });
