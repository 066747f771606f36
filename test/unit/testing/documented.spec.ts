import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const examples = ['scheduler.ts', 'scheduler.spec.ts', 'stand-ins.spec.ts'];

it.each(examples)('docs/testing.md shows %s as it is run here', async (name) => {
  const [shown, run] = await Promise.all([
    readFile('docs/testing.md', 'utf8'),
    readFile(`test/unit/testing/example/${name}`, 'utf8'),
  ]);
  expect(shown).toContain(`\`\`\`ts\n// ${name}\n${run.trimEnd()}\n\`\`\``);
});
