import { parseApiVersion } from '../../wire/rpc/api-version.js';

/** True when a server serves that version; rejects as a call does where none answers. */
export type AskVersion = (version: string) => Promise<boolean>;

export interface VersionSearchOptions {
  /** Where to begin, `3.12`: a server that is asked for its own version needs few questions. Absent: 1.0. */
  readonly from?: string | undefined;
  /** Ends the search when so many versions were refused: each refusal is an ERROR in the server's log. */
  readonly mostRefused: number;
  /** Aborted: no more questions. */
  readonly signal?: AbortSignal;
}

/** What a server serves of one namespace. */
export interface VersionsServed {
  /** The highest version of each major, from the first one found upwards, highest first; empty: nothing that was asked for. */
  readonly served: readonly string[];
  /** Questions that were asked. */
  readonly calls: number;
  /** Of those, refused. */
  readonly refused: number;
  /** `bounded`: there may be more, as the search was ended before it was done, or nothing was refused. */
  readonly state: 'bounded' | 'complete';
}

/** Services count their majors from 1; the highest of today is 6. */
const MAJORS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
/** Minors above the first that is served. A server that refuses none of them is a proxy that takes all. */
const MOST_MINORS = 1_024;

interface Point {
  readonly major: number;
  readonly minor: number;
}

/**
 * Finds the highest versions that a server serves, with few questions: minors by doubling, then by halving; majors in turn,
 * the nearest to `from` first, and upwards from one that is served.
 */
export async function searchVersions(ask: AskVersion, options: VersionSearchOptions): Promise<VersionsServed> {
  const search = new VersionSearch(ask, options);
  const from = parseApiVersion(options.from ?? '1.0') ?? { major: 1, minor: 0 };
  const served: Point[] = [];
  let highest = (await search.highestOf(from)) ?? (await firstServed(search, from.major));
  while (highest !== undefined) {
    served.unshift(highest);
    if (search.isBounded) break;
    highest = await search.highestOf({ major: highest.major + 1, minor: 0 });
  }
  const { calls, refused, isBounded } = search;
  return { served: served.map(textOf), calls, refused, state: isBounded ? 'bounded' : 'complete' };
}

/** Callers and servers that do not fit are mostly one major apart. */
async function firstServed(search: VersionSearch, refused: number): Promise<Point | undefined> {
  const others = MAJORS.filter((major) => major !== refused);
  for (const major of others.toSorted((a, b) => Math.abs(a - refused) - Math.abs(b - refused))) {
    const highest = await search.highestOf({ major, minor: 0 });
    if (highest !== undefined) return highest;
  }
  return undefined;
}

/** Questions to one server, each asked once. */
class VersionSearch {
  calls = 0;
  refused = 0;
  isBounded = false;
  private readonly answers = new Map<string, boolean>();

  constructor(
    private readonly ask: AskVersion,
    private readonly options: VersionSearchOptions,
  ) {}

  /** The highest minor of a major: by doubling the distance from the first one asked for, then by halving what is left. */
  async highestOf({ major, minor }: Point): Promise<Point | undefined> {
    const serves = (candidate: number): Promise<boolean> => this.serves({ major, minor: candidate });
    if (await serves(minor)) {
      const [low, high] = await bracketAbove(minor, serves);
      if (low - minor >= MOST_MINORS) this.isBounded = true;
      return { major, minor: await highestBetween(low, high, serves) };
    }
    if (minor === 0 || !(await serves(0))) return undefined;
    const [low, high] = await bracketBelow(minor, serves);
    return { major, minor: await highestBetween(low, high, serves) };
  }

  /** When no more may be asked, it is taken for refused. */
  private async serves(point: Point): Promise<boolean> {
    const version = textOf(point);
    const known = this.answers.get(version);
    if (known !== undefined) return known;
    if (this.refused >= this.options.mostRefused || this.options.signal?.aborted) {
      this.isBounded = true;
      return false;
    }
    const isServed = await this.ask(version);
    this.calls += 1;
    if (!isServed) this.refused += 1;
    this.answers.set(version, isServed);
    return isServed;
  }
}

type Serves = (minor: number) => Promise<boolean>;

/** The last one served, and the first one that is not. */
async function bracketAbove(from: number, serves: Serves): Promise<[low: number, high: number]> {
  let low = from;
  for (let step = 1; step <= MOST_MINORS; step *= 2) {
    if (!(await serves(from + step))) return [low, from + step];
    low = from + step;
  }
  return [low, low + 1];
}

/** The same, down from one that is refused, where 0 is served: what is called and what is served are mostly near. */
async function bracketBelow(from: number, serves: Serves): Promise<[low: number, high: number]> {
  let high = from;
  for (let step = 1; from - step > 0; step *= 2) {
    if (await serves(from - step)) return [from - step, high];
    high = from - step;
  }
  return [0, high];
}

async function highestBetween(served: number, refused: number, serves: Serves): Promise<number> {
  let [low, high] = [served, refused];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await serves(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function textOf({ major, minor }: Point): string {
  return `${major}.${minor}`;
}
