/** How long the broker is waited for. */
export interface Patience {
  answerWithinMs: number;
  /** Whether a missing answer is no surprise now: then it is waited for once more. */
  excused(): boolean;
}

/** While something goes on, its answer is only behind. */
export function whileMoving(count: () => number, patience: Patience): Patience {
  let seen = count();
  const excused = (): boolean => {
    const before = seen;
    seen = count();
    return seen !== before || patience.excused();
  };
  return { ...patience, excused };
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

/** False where no answer came; one that refuses is an answer. */
export async function isAnswered(answer: Promise<unknown>, patience: Patience): Promise<boolean> {
  let overdue = false;
  await answeredInTime(answer, patience, () => {
    overdue = true;
    return new Error('no answer');
  }).catch(() => undefined);
  return !overdue;
}

/** A queue that has just lost its leader answers nobody, but soon who asks anew: so long at first, twice as long each time. */
export function growingPatienceMs(unanswered: number): number {
  return 1_000 * 2 ** unanswered;
}
