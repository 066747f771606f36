import { MessageDeliveryFailure } from '../../errors/delivery.errors.js';

/** Values that are kept for whoever takes them more slowly than they come. */
const MOST_WAITING = 10_000;

/** How the values and the end of a multicall are told. */
export interface MulticallEnds {
  next(value: unknown): void;
  /** There are no more. */
  resolve(): void;
  reject(error: unknown): void;
}

/** Begins the call; the returned function forgets it. */
export type BeginMulticall = (ends: MulticallEnds) => () => void;

type Ending = { readonly error?: unknown };

/** The values of a multicall, which begins when the first is asked for. */
export async function* valuesOf<T>(begin: BeginMulticall): AsyncGenerator<T, void, undefined> {
  const waiting: T[] = [];
  let ending: Ending | undefined;
  let wake: (() => void) | undefined;
  const end = (how: Ending): void => {
    ending ??= how;
    wake?.();
  };
  const next = (value: unknown): void => {
    if (waiting.length >= MOST_WAITING) throw new MessageDeliveryFailure(`${MOST_WAITING} values wait to be taken`);
    waiting.push(value as T);
    wake?.();
  };
  const forget = begin({ next, resolve: () => end({}), reject: (error) => end({ error }) });
  try {
    for (;;) {
      if (waiting.length > 0) yield waiting.shift()!;
      else if (ending) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if ('error' in ending) throw ending.error;
  } finally {
    forget();
  }
}
