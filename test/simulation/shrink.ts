import type { Schedule } from './schedule.js';
import { simulated } from './simulate.js';

/** Words without numbers: what is the same fault in another schedule. */
function kindsOf(violations: readonly string[]): Set<string> {
  return new Set(violations.map((violation) => violation.replaceAll(/\d+/g, '#')));
}

/** The schedule without all steps that its first fault does not need. */
export async function shrunk(schedule: Schedule): Promise<Schedule> {
  const [wanted] = kindsOf((await simulated(schedule)).violations);
  let { steps } = schedule;
  if (wanted === undefined) return schedule;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length;) {
      const fewer = steps.filter((_step, index) => index < at || index >= at + size);
      const { violations } = await simulated({ seed: schedule.seed, steps: fewer });
      if (kindsOf(violations).has(wanted)) steps = fewer;
      else at += size;
    }
  }
  return { seed: schedule.seed, steps };
}
