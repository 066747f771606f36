/** The place of a call, kept unformatted: V8 makes the text only when somebody reads it. */
export interface CallSite {
  stack?: string;
}

/** Capturing costs several microseconds: so many a second at most, which is more than anybody debugs. */
const capturedEachSecond = 100;

/** The places of a client's calls. */
export class CallSites {
  private since = 0;
  private count = 0;

  constructor(private readonly isWanted: boolean) {}

  /** Frames above `below`, the function that the user called; undefined where many calls are made each second. */
  capture(below: (...args: never[]) => unknown): CallSite | undefined {
    if (!this.isWanted || !this.mayCapture()) return undefined;
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 4;
    const site: CallSite = {};
    Error.captureStackTrace(site, below);
    Error.stackTraceLimit = limit;
    return site;
  }

  private mayCapture(): boolean {
    if (this.count >= capturedEachSecond) {
      const now = performance.now();
      if (now - this.since < 1_000) return false;
      this.since = now;
      this.count = 0;
    }
    this.count += 1;
    return true;
  }
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
