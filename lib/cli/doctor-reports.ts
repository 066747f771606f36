import type { ExaminedQueue } from '../observe/findings/evidence.js';
import type { Severity } from '../observe/findings/catalogue.js';
import type { CheckResult, Finding } from '../observe/findings/finding.js';
import { valueOf } from '../observe/bus/bus-look.js';
import { shown } from '../wire/shown.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { Line } from './tone.js';

/** The results of a doctor run. */
export interface Diagnosis {
  readonly results: readonly CheckResult[];
  /** For numbers beside the findings. */
  readonly queues: readonly ExaminedQueue[];
}

const ORDER: readonly Severity[] = ['error', 'warning', 'hint'];
/** Series and labels that a monitoring system is given. */
const MOST_QUEUES = 500;
const NAMES_TOLD = 3;

/** `strict`: each severity counts as the next one. */
export function exitOf({ results }: Diagnosis, rule: 'lenient' | 'strict'): ExitCode {
  const severities = new Set(results.flatMap(({ findings }) => findings.map(({ severity }) => severity)));
  const counts =
    rule === 'strict'
      ? ({ error: 'warning', warning: 'hint' } as const)
      : ({ error: 'error', warning: 'warning' } as const);
  if (severities.has('error') || severities.has(counts.error)) return EXIT.errors;
  return severities.has(counts.warning) ? EXIT.failed : EXIT.done;
}

/** The worst first; what is fine is counted, and what was not seen is named. */
export function textLines({ results }: Diagnosis): Line[] {
  const fine = results.reduce((sum, one) => sum + one.fine, 0);
  const lines = findingsOf(results).flatMap(({ code, severity, object, seen, known, cause, remedy }) => [
    {
      before: '',
      word: severity.toUpperCase(),
      tone: severity === 'error' ? ('bad' as const) : ('doubtful' as const),
      after: `${' '.repeat(7 - severity.length)}  ${code.padEnd(16)}  ${object}  ${seen} (${known})`,
    },
    `         cause   ${cause}`,
    `         remedy  ${remedy}`,
  ]);
  const after = `       ${fine} ${fine === 1 ? 'check is' : 'checks are'} fine`;
  return [...lines, { before: '', word: 'ok', tone: 'good', after }, ...unseenLines(results)];
}

export function jsonOf({ results }: Diagnosis, exit: ExitCode): object {
  const checks = results.map(({ code, fine, findings, unseen }) => ({ code, fine, findings: findings.length, unseen }));
  return { findings: findingsOf(results), checks, exit };
}

/** One line, with performance data. */
export function nagiosLine({ results, queues }: Diagnosis): string {
  const findings = findingsOf(results);
  const counts = ORDER.map((severity) => findings.filter((one) => one.severity === severity).length);
  const [errors = 0, warnings = 0, hints = 0] = counts;
  const state = errors > 0 ? 'CRITICAL' : warnings > 0 ? 'WARNING' : 'OK';
  const told = findings.slice(0, NAMES_TOLD).map(({ code, object }) => `${code} ${object}`);
  const rest = findings.length > NAMES_TOLD ? [`${findings.length - NAMES_TOLD} more`] : [];
  const text = [...told, ...rest].join('; ') || `${results.reduce((sum, one) => sum + one.fine, 0)} checks are fine`;
  const data = [
    `errors=${errors};;1`,
    `warnings=${warnings};1`,
    `hints=${hints}`,
    ...queueNumbers(queues).map(({ name, messages }) => `'${name.replace(/['=|]/g, '_')}_messages'=${messages}`),
  ];
  // What stands behind a bar is read by a program.
  return `${state} - ${text.replaceAll('|', '_')} | ${data.join(' ')}`;
}

/** For the textfile collector of node_exporter. */
export function prometheusLines({ results, queues }: Diagnosis, nowMs: number): string[] {
  const findings = results.flatMap(({ code, findings: found }) =>
    ORDER.map((severity) => {
      const number = found.filter((one) => one.severity === severity).length;
      return `oslo_bus_doctor_findings{code="${code}",severity="${severity}"} ${number}`;
    }),
  );
  const numbers = queueNumbers(queues);
  return [
    ...series('oslo_bus_doctor_findings', 'What is wrong, by code.', findings),
    ...series(
      'oslo_bus_doctor_unseen',
      '1: not all of it could be looked at.',
      results.map(({ code, unseen }) => `oslo_bus_doctor_unseen{code="${code}"} ${unseen.length > 0 ? 1 : 0}`),
    ),
    ...series(
      'oslo_bus_doctor_queue_messages',
      'Messages that wait.',
      numbers.map(({ name, messages }) => `oslo_bus_doctor_queue_messages{queue="${label(name)}"} ${messages}`),
    ),
    ...series(
      'oslo_bus_doctor_queue_consumers',
      'Consumers.',
      numbers.map(({ name, consumers }) => `oslo_bus_doctor_queue_consumers{queue="${label(name)}"} ${consumers}`),
    ),
    ...series('oslo_bus_doctor_run_timestamp_seconds', 'When it was looked.', [
      `oslo_bus_doctor_run_timestamp_seconds ${Math.floor(nowMs / 1_000)}`,
    ]),
  ];
}

function findingsOf(results: readonly CheckResult[]): Finding[] {
  const findings = results.flatMap((one) => one.findings);
  return ORDER.flatMap((severity) => findings.filter((one) => one.severity === severity));
}

/** One line for each reason: most are shared by many checks. */
function unseenLines(results: readonly CheckResult[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { code, unseen } of results) {
    for (const reason of unseen) byReason.set(reason, [...(byReason.get(reason) ?? []), code]);
  }
  return [...byReason].map(([reason, codes]) => `unseen   ${codes.join(', ')}: ${reason}`);
}

function series(name: string, help: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}

function queueNumbers(queues: readonly ExaminedQueue[]): { name: string; messages: number; consumers: number }[] {
  const seen = queues.flatMap(({ name, after }) => {
    const value = valueOf(after);
    return value ? [{ name: shown(name), ...value }] : [];
  });
  return seen.slice(0, MOST_QUEUES);
}

function label(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
