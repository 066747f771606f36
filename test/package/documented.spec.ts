import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const entries = ['lib/index.ts', 'lib/testing/index.ts', 'lib/observe/tracing.ts', 'lib/observe/metrics.ts'].map(
  (path) => resolve(path),
);
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  skipLibCheck: true,
});
const checker = program.getTypeChecker();

/** What users can import, with where its name leads. */
function exportsOf(entry: string): { name: string; symbol: ts.Symbol }[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
  return checker.getExportsOfModule(module).map((exported) => ({
    name: exported.name,
    symbol: exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported,
  }));
}

function documentation(symbol: ts.Symbol): string {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker));
}

describe.each(entries)('%s', (entry) => {
  it('documents whatever it exports', () => {
    const exported = exportsOf(entry);
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.filter(({ symbol }) => documentation(symbol) === '').map(({ name }) => name)).toEqual([]);
  });

  it('marks it as public', () => {
    const isMarked = (symbol: ts.Symbol): boolean => symbol.getJsDocTags().some(({ name }) => name === 'publicApi');
    expect(
      exportsOf(entry)
        .filter(({ symbol }) => !isMarked(symbol))
        .map(({ name }) => name),
    ).toEqual([]);
  });
});
