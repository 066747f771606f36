import { shown } from '../../wire/shown.js';
import { CATALOGUE, type FindingCode, type Severity } from './catalogue.js';

/** Something that is wrong with a bus. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** `queue 'compute.cmp14'`. */
  readonly object: string;
  readonly seen: string;
  readonly cause: string;
  readonly remedy: string;
  /** How it was known. */
  readonly known: string;
}

/** The result of looking for one kind of fault. */
export interface CheckResult {
  readonly code: FindingCode;
  /** As many objects were looked at, and are fine. */
  readonly fine: number;
  readonly findings: readonly Finding[];
  /** Why something could not be looked at. */
  readonly unseen: readonly string[];
}

type FindingFacts = Pick<Finding, 'known' | 'object' | 'seen'> & Partial<Finding>;

/** Gathers what comes of looking for one kind of fault. */
export class Check {
  private fineCount = 0;
  private readonly findings: Finding[] = [];
  private readonly reasons = new Set<string>();

  constructor(readonly code: FindingCode) {}

  fine(): void {
    this.fineCount += 1;
  }

  /** What is not given is the catalogue's. */
  found(facts: FindingFacts): void {
    const { severity, cause, remedy } = CATALOGUE[this.code];
    this.findings.push({ code: this.code, severity, cause, remedy, ...facts });
  }

  unseen(reason: string): void {
    this.reasons.add(reason);
  }

  /** What was not seen is not fine. */
  get result(): CheckResult {
    const { code, findings, fineCount: fine } = this;
    const unseen = [...this.reasons];
    if (fine + findings.length + unseen.length === 0) unseen.push('there is nothing of the kind');
    return { code, fine, findings, unseen };
  }
}

/** `queue 'conductor'`; names are chosen by peers, and may hold anything. */
export function named(kind: string, name: string): string {
  return `${kind} '${shown(name)}'`;
}

const NAMES_TOLD = 5;

/** The first of many names. */
export function firstOf(names: readonly string[]): string {
  const told = names.slice(0, NAMES_TOLD).map((name) => `'${shown(name, 80)}'`);
  return names.length > NAMES_TOLD ? `${told.join(', ')} and ${names.length - NAMES_TOLD} more` : told.join(', ');
}
