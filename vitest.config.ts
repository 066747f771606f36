import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // The samples import the package by its name: here that is the source.
    alias: [
      { find: /^nestjs-oslo-messaging$/, replacement: source('lib/index.ts') },
      { find: /^nestjs-oslo-messaging\/core$/, replacement: source('lib/core.ts') },
      { find: /^nestjs-oslo-messaging\/testing$/, replacement: source('lib/testing/index.ts') },
    ],
  },
  test: {
    silent: 'passed-only',
    maxWorkers: 2,
    expect: { poll: { timeout: 4_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.spec.ts'],
          setupFiles: ['test/support/setup.ts'],
          pool: 'threads',
          // Nothing here outlives its spec, and loading Nest for each of them took longer than they do.
          isolate: false,
          // Some of them wait for the embedded bus, and not for a processor.
          maxWorkers: 4,
          // First, and alone: so many would disturb others.
          sequence: { groupOrder: 0 },
          // Of a test that hangs; a machine that is busy with others may stand still for most of it.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          // Alone in its process: it changes how timers and the bus work.
          sequence: { groupOrder: 1 },
          include: ['test/simulation/**/*.spec.ts'],
          setupFiles: ['test/support/setup.ts'],
          pool: 'forks',
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'broker',
          sequence: { groupOrder: 1 },
          include: ['test/broker/**/*.spec.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/rabbit-global-setup.ts'],
          pool: 'forks',
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'interop',
          sequence: { groupOrder: 1 },
          include: ['test/interop/**/*.spec.ts', 'test/sample/**/*.spec.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/rabbit-global-setup.ts'],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          // What recovers how fast is measured: alone, when everything else is done.
          sequence: { groupOrder: 2 },
          maxWorkers: 1,
          include: ['test/faults/**/*.spec.ts'],
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/rabbit-global-setup.ts', 'test/faults/setup-programs.ts'],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'docs',
          // Building the site takes both cores, for a minute.
          sequence: { groupOrder: 3 },
          include: ['test/docs/**/*.spec.ts'],
          testTimeout: 60_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          sequence: { groupOrder: 1 },
          include: ['test/package/**/*.spec.ts'],
          testTimeout: 120_000,
        },
      },
    ],
  },
});
