/** What was thrown, in words; anything can be thrown, and this never throws itself. */
export function textOf(thrown: unknown): string {
  return safely(() => (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)));
}

/** The same for our own log: with what led to it, and with what a plain object holds. */
export function textWithCause(thrown: unknown): string {
  if (!(thrown instanceof Error)) {
    return typeof thrown === 'object' && thrown !== null ? safely(() => textOfObject(thrown)) : textOf(thrown);
  }
  const { cause } = thrown;
  return cause === undefined ? textOf(thrown) : `${textOf(thrown)}, caused by ${textOf(cause)}`;
}

/** Nest's filters for messages throw objects with a message. */
function textOfObject(thrown: object): string {
  const { message } = thrown as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(thrown);
}

function safely(text: () => string): string {
  try {
    return text();
  } catch {
    return 'an object without a text';
  }
}
