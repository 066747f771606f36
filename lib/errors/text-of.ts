/** What was thrown, in words; anything can be thrown, and this never throws itself. */
export function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return 'an object without a text';
  }
}
