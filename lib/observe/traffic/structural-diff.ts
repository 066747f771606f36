/** One place at which two values differ; absent is what is not there. */
export interface Difference {
  /** Keys and indexes from the root; none: the values themselves. */
  readonly path: readonly string[];
  readonly recorded?: unknown;
  readonly now?: unknown;
}

/** A pattern of paths, as `instances.*.updated_at`: `*` is any one key or index; what lies below is covered, too. */
export type PathPattern = readonly string[];

const MOST_DIFFERENCES = 100;

/** One place that is still to be compared. */
interface Place {
  readonly path: readonly string[];
  readonly pair: Readonly<Record<'now' | 'recorded', unknown>>;
}

/**
 * Compares plain data. Objects are the same whatever the order of their keys, lists in theirs. The first hundred differences, by
 * their paths; walks without recursion, as peers may nest deep.
 */
export function differencesOf(recorded: unknown, now: unknown, ignored: readonly PathPattern[] = []): Difference[] {
  const found: Difference[] = [];
  const places: Place[] = [{ path: [], pair: { recorded, now } }];
  while (places.length > 0 && found.length < MOST_DIFFERENCES) {
    const place = places.pop()!;
    if (ignored.some((pattern) => covers(pattern, place.path))) continue;
    const inner = placesIn(place);
    if (inner) places.push(...inner.toReversed());
    else if (!isSame(place)) found.push({ path: place.path, ...place.pair });
  }
  return found;
}

/** `instances.*.updated_at` as a pattern. */
export function pathPattern(text: string): PathPattern {
  return text.split('.');
}

/** What has to be compared of two objects, or of two lists; of anything else nothing. */
function placesIn({ path, pair: { recorded, now } }: Place): Place[] | undefined {
  if (!isContainer(recorded) || !isContainer(now) || Array.isArray(recorded) !== Array.isArray(now)) return undefined;
  const keys = new Set([...Object.keys(recorded), ...Object.keys(now)]);
  return [...keys].map((key) => ({
    path: [...path, key],
    pair: {
      ...(Object.hasOwn(recorded, key) && { recorded: recorded[key] }),
      ...(Object.hasOwn(now, key) && { now: now[key] }),
    } as Place['pair'],
  }));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A key that is missing is not one whose value is null. */
function isSame({ pair: { recorded, now } }: Place): boolean {
  return Object.is(recorded, now);
}

function covers(pattern: PathPattern, path: readonly string[]): boolean {
  return pattern.length <= path.length && pattern.every((key, at) => key === '*' || key === path[at]);
}
