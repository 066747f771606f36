import { fileURLToPath } from 'node:url';
import type { Alias } from 'vite';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const nest = /^(@nestjs\/[\w-]+|rxjs|reflect-metadata|class-validator|class-transformer)(?=$|\/)/;

/** Nest, and what it shares with its applications, from the folder that `test/support/nest-11.ts` fills. */
const onNest11 = (which: 'lowest' | 'newest'): Alias[] => [
  { find: nest, replacement: source(`.cache/nest-11/${which}/node_modules/$1`) },
];

/** These take minutes. If they began last, one worker would have work, and the others none. */
const LONGEST = ['test/docs/site', 'test/package/getting-started', 'test/simulation/simulation'];

/** A fault that some look for is a wait of 60 s for a broker that is silent. */
const LESS_THAN_A_MINUTE = 50_000;

const isLong = ({ moduleId }: TestSpecification): boolean => LONGEST.some((path) => moduleId.includes(path));
const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;

/** The order is Vitest's, but for the longest specs: they are the first of their group. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => group(a) - group(b) || Number(isLong(b)) - Number(isLong(a)));
  }
}

export default defineConfig({
  resolve: {
    // The samples import the package by its name: here that is the source.
    alias: [
      { find: /^nestjs-oslo-messaging$/, replacement: source('lib/index.ts') },
      { find: /^nestjs-oslo-messaging\/core$/, replacement: source('lib/core.ts') },
      { find: /^nestjs-oslo-messaging\/opentelemetry$/, replacement: source('lib/observe/tracing.ts') },
      { find: /^nestjs-oslo-messaging\/prometheus$/, replacement: source('lib/observe/metrics.ts') },
      { find: /^nestjs-oslo-messaging\/testing$/, replacement: source('lib/testing/index.ts') },
    ],
  },
  test: {
    silent: 'passed-only',
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 20_000 } },
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
        resolve: { alias: onNest11('lowest') },
        test: {
          name: 'unit-nest-11',
          sequence: { groupOrder: 0 },
          include: ['test/nest-11/**/*.spec.ts', 'test/unit/nest/**/*.spec.ts'],
          exclude: ['test/unit/nest/of-nest-12.spec.ts'],
          env: { OSLO_TEST_NEST_11: 'lowest' },
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/nest-11.ts'],
          pool: 'threads',
          isolate: false,
          maxWorkers: 4,
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
          hookTimeout: 120_000,
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
          testTimeout: LESS_THAN_A_MINUTE,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        resolve: { alias: onNest11('newest') },
        test: {
          name: 'broker-nest-11',
          sequence: { groupOrder: 1 },
          include: ['test/nest-11/**/*.spec.ts', 'test/broker/nest/**/*.spec.ts'],
          env: { OSLO_TEST_NEST_11: 'newest' },
          setupFiles: ['test/support/setup.ts'],
          globalSetup: ['test/support/nest-11.ts', 'test/support/rabbit-global-setup.ts'],
          pool: 'forks',
          testTimeout: LESS_THAN_A_MINUTE,
          hookTimeout: 120_000,
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
          testTimeout: 120_000,
          hookTimeout: 120_000,
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
          sequence: { groupOrder: 1 },
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
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
