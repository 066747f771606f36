import 'reflect-metadata';
import { illegalTransitions } from '../../lib/broker/engine/state.js';
import { vi } from 'vitest';

/** The second that Vitest waits for by itself is short on a busy machine. */
const patienceMs = 10_000;

const { waitFor } = vi;
// Spec files of one worker share what is imported, and each runs this.
if (waitFor.name !== 'patientWaitFor') {
  vi.waitFor = function patientWaitFor(callback, options) {
    return waitFor(callback, typeof options === 'object' ? options : { timeout: options ?? patienceMs });
  };
}

// In production it is printed, and not made.
illegalTransitions.report = (transition) => {
  throw transition;
};
