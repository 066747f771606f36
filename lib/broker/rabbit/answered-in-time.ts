/** How long the broker is waited for. */
export interface Patience {
  answerWithinMs: number;
  /** Whether a missing answer is no surprise now: then it is waited for once more. */
  excused(): boolean;
}

/** The answer, or `overdue` in its place. */
export function answeredInTime<T>(answer: Promise<T>, patience: Patience, overdue: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!patience.excused()) reject(overdue());
    };
    // What has arrived while this process was busy is read before immediates run.
    const timer = setInterval(() => setImmediate(look), patience.answerWithinMs);
    answer.then(resolve, reject).finally(() => clearInterval(timer));
  });
}
