/** The place of a call, kept unformatted: V8 makes the text only when somebody reads it. */
export interface CallSite {
  stack?: string;
}

/** Capturing costs several microseconds: so many a second at most, which is more than anybody debugs. */
const capturedEachSecond = 100;
const captured = { since: 0, count: 0 };

/** Frames above `below`, the function that the user called; undefined where many calls are made each second. */
export function captureCallSite(below: (...args: never[]) => unknown): CallSite | undefined {
  if (captured.count >= capturedEachSecond) {
    const now = performance.now();
    if (now - captured.since < 1_000) return undefined;
    captured.since = now;
    captured.count = 0;
  }
  captured.count += 1;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 4;
  const site: CallSite = {};
  Error.captureStackTrace(site, below);
  Error.stackTraceLimit = limit;
  return site;
}

/**
 * Makes an error's stack start at the caller's line, instead of at the timer or socket that ended the call.
 * An error of somebody else's that cannot be written to stays as it is.
 */
export function showCallSite<E>(error: E, site: CallSite | undefined): E {
  const frames = site?.stack?.split('\n').slice(1);
  if (!frames || frames.length === 0 || !(error instanceof Error)) return error;
  Reflect.set(error, 'stack', [`${error.name}: ${String(error.message)}`, ...frames].join('\n'));
  return error;
}
