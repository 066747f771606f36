import { shown } from '../../wire/shown.js';

/** As many combinations of labels has a series; what comes after them is one more, of the word `other`. */
const MOST_COMBINATIONS = 1_000;

/** A label before it is written. */
export type LabelValue = boolean | number | string | null | undefined;

/** The values of a series' labels. */
export type Labels<Name extends string> = Record<Name, string>;

/**
 * Keeps a series from growing without end: methods, event types and classes are chosen by peers, and each new
 * combination would stay in the memory, here and at Prometheus.
 */
export class BoundedLabels<Name extends string> {
  private readonly known = new Set<string>();
  private readonly other: Labels<Name>;

  constructor(
    names: readonly Name[],
    private readonly onFolded: () => void,
  ) {
    this.other = Object.fromEntries(names.map((name) => [name, 'other'])) as Labels<Name>;
  }

  /** The labels as they are to be written. */
  bounded(values: Record<Name, LabelValue>): Labels<Name> {
    const labels = Object.fromEntries(
      Object.entries<LabelValue>(values).map(([name, value]) => [name, pythonText(value)]),
    ) as Labels<Name>;
    const key = JSON.stringify(Object.values(labels));
    if (this.known.has(key)) return labels;
    if (this.known.size < MOST_COMBINATIONS) {
      this.known.add(key);
      return labels;
    }
    this.onFolded();
    return this.other;
  }
}

/** As Python's client of Prometheus writes a label: `str(value)`. */
function pythonText(value: LabelValue): string {
  if (value === undefined || value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return shown(String(value));
}
