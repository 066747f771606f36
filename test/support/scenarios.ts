/** A case of a table: what it is called, and its fields. */
export type Scenario<T> = readonly [name: string, fields: T];

/** Every combination of the cases of two tables, as `testscenarios.multiply_scenarios` makes them. */
export function multiplied<A, B>(ones: readonly Scenario<A>[], others: readonly Scenario<B>[]): Scenario<A & B>[] {
  return ones.flatMap(([one, fields]) =>
    others.map(([other, more]): Scenario<A & B> => [`${one}, ${other}`, { ...fields, ...more }]),
  );
}
