import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface CodeInSource {
  name: string;
  code: string;
  /** Absent where it depends on the error. */
  fault?: string;
  retryable?: string;
}

/** Each class of lib/errors with what it hands to its base class. */
function codesInSource(): CodeInSource[] {
  const files = readdirSync('lib/errors').map((file) => readFileSync(join('lib/errors', file), 'utf8'));
  const classes = files.flatMap((text) => text.split(/^export (?=class |abstract class )/m).slice(1));
  return classes.flatMap((text) => {
    const code = /code: '(OSLO_\w+)'/.exec(text)?.[1];
    if (code === undefined) return [];
    const fault = /fault: '(\w+)'/.exec(text)?.[1];
    const retryable = /retryable: (true|false)/.exec(text)?.[1];
    return [{ name: /class (\w+)/.exec(text)![1]!, code, ...(fault && { fault }), ...(retryable && { retryable }) }];
  });
}

const sections = new Map(
  readFileSync('docs/errors.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);
const codes = codesInSource();

describe('the error catalogue', () => {
  it('has a section for every code that is thrown, and for no other', () => {
    expect(codes.length).toBeGreaterThan(10);
    expect([...sections.keys()].toSorted()).toEqual([...new Set(codes.map(({ code }) => code))].toSorted());
  });

  it.each(codes)('tells of $name what its source says', ({ name, code, fault, retryable }) => {
    const section = sections.get(code)!;
    expect(section).toContain(`\`${name}\``);
    if (fault !== undefined) expect(section).toContain(`Whose move: ${fault}`);
    if (retryable !== undefined) expect(section).toContain(`Retryable: ${retryable === 'true' ? 'yes' : 'no'}.`);
    for (const part of ['**What happened.**', '**What to do.**']) expect(section).toContain(part);
  });

  it('names each reason of a timeout', () => {
    const source = readFileSync('lib/errors/timeout-diagnosis.ts', 'utf8');
    const reasons = /export type TimeoutReason =([^;]*);/.exec(source)![1]!.match(/'[\w-]+'/g)!;
    const section = sections.get('OSLO_TIMEOUT')!;
    expect(reasons.filter((reason) => !section.includes(`| \`${reason.slice(1, -1)}\``))).toEqual([]);
  });
});
