import { appendFileSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allFaults } from '../faults/all-faults.js';
import { faultTable } from './fault-report.js';
import { Round, type RoundResult } from './round.js';
import { Scene, type SceneKind } from './scene.js';

const DIRECTORY = resolve('.cache/faults');
/** The strict measure needs a long run: a heap of a few megabytes is not the same twice. */
const GROWTH = 1.5;

/** Each fault of a scene, a few times: for `npm test`. Its table is written to .cache/faults. */
export function describeFaults(kind: SceneKind): void {
  describe(`faults of a ${kind}`, () => {
    const results: RoundResult[] = [];
    const faults = allFaults.filter(({ scene, bounded }) => scene === kind && bounded > 0);
    let scene: Scene;
    beforeAll(async () => {
      scene = await Scene.open(kind);
    }, 120_000);
    afterAll(async () => {
      await scene?.close();
      const rows = faults.map(({ name }) => ({ fault: name, results: results.filter(({ fault }) => fault === name) }));
      mkdirSync(DIRECTORY, { recursive: true });
      appendFileSync(resolve(DIRECTORY, 'bounded.md'), `${faultTable(rows)}\n\n`);
    });

    let before: Record<string, number> | undefined;
    it.each(faults.map((fault) => [fault.name, fault] as const))(
      '%s',
      async (_name, fault) => {
        for (let round = 0; round < fault.bounded; round += 1) {
          const result = await new Round(scene, fault).run();
          results.push(result);
          expect(result.violations).toEqual([]);
          expect(result.tally.answered).toBeGreaterThan(0);
        }
        before ??= await scene.memory();
      },
      120_000,
    );

    it('leaves the memory as it was', async () => {
      for (const [name, mebibytes] of Object.entries(await scene.memory())) {
        expect([name, mebibytes]).toEqual([name, expect.toSatisfy((now: number) => now < before![name]! * GROWTH)]);
      }
    });
  });
}
