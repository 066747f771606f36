import { oslo } from './command-line.js';

/** What `oslo-bus doctor` has found. */
export interface DoctorRun {
  code: number;
  out: string;
  err: string;
  findings: Record<string, unknown>[];
  /** Of the findings, the worst first. */
  codes: unknown[];
  checks: { code: string; fine: number; findings: number; unseen: string[] }[];
}

/** Looks at a bus with a short time between the two looks, as JSON unless told otherwise. */
export async function doctorAt(url: string, rest: string, options: { signal?: AbortSignal } = {}): Promise<DoctorRun> {
  const watch = rest.includes('--watch') ? '' : ' --watch 100ms';
  const format = rest.includes('--format') ? '' : ' --json';
  const { code, out, err, documents } = await oslo(`doctor ${rest}${watch}${format}`, {
    ...options,
    env: { OSLO_TRANSPORT_URL: url },
  });
  const { findings = [], checks = [] } = (documents[0] ?? {}) as Partial<DoctorRun>;
  return { code, out, err, findings, checks, codes: findings.map((finding) => finding.code) };
}
