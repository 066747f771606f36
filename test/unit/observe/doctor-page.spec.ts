import { expect, it } from 'vitest';
import { CATALOGUE, explained, FINDING_CODES } from '../../../lib/observe/findings/catalogue.js';

const INTRODUCTION = `# What doctor finds

\`oslo-bus doctor\` looks at a bus twice and tells what is wrong ([Command line](tools.md#doctor)). Each finding has a code. A code
never changes its meaning. \`oslo-bus doctor --explain CODE\` prints what stands here.

- **error**: services fail because of it.
- **warning**: it will make services fail, or it hides failures.
- **hint**: nothing is broken.

The severity below is the usual one. A finding may have another, where its text says so.

<!-- Made from lib/observe/findings/catalogue.ts: npx vitest run --project unit test/unit/observe/doctor-page.spec.ts -u -->
`;

it('docs/doctor.md says what --explain says', async () => {
  const sections = FINDING_CODES.map((code) => {
    const { severity, title, cause, remedy, seen } = CATALOGUE[code];
    return [
      `## ${code}`,
      `${title} (${severity}).`,
      `**Cause.** ${cause}`,
      `**Remedy.** ${remedy}`,
      `**How it is found.** ${seen}`,
    ].join('\n\n');
  });
  await expect([INTRODUCTION, ...sections.map((section) => `${section}\n`)].join('\n')).toMatchFileSnapshot(
    '../../../docs/doctor.md',
  );
});

it('each code explains itself in whole sentences', () => {
  for (const code of FINDING_CODES) {
    const { cause, remedy, seen } = CATALOGUE[code];
    for (const text of [cause, remedy, seen]) expect(text, code).toMatch(/^[A-Z`'].*[.)`]$/s);
    expect(explained(code).join('\n')).toContain(remedy);
  }
});
