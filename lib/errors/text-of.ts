/** The text of a thrown value; anything can be thrown, and this never throws itself. */
export function textOf(thrown: unknown): string {
  return safely(() =>
    thrown instanceof Error
      ? thrown.message === ''
        ? thrown.name
        : `${thrown.name}: ${thrown.message}`
      : String(thrown),
  );
}

/** As many reasons are told of a chain, and of an `AggregateError`. */
const MOST_REASONS = 5;

/** The same with the reasons: all that led to it, and what a plain object holds. */
export function textWithCause(thrown: unknown): string {
  if (!(thrown instanceof Error)) {
    return typeof thrown === 'object' && thrown !== null ? safely(() => textOfObject(thrown)) : textOf(thrown);
  }
  return chainOf(thrown).map(textWithErrors).join(', caused by ');
}

/** An error and what led to it, the outermost first; a circle ends it. */
export function chainOf(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (let error = thrown; error !== undefined && !chain.includes(error); error = causeOf(error)) {
    chain.push(error);
    if (chain.length === MOST_REASONS) break;
  }
  return chain;
}

/** The errors that an `AggregateError` has gathered. */
export function gatheredBy(thrown: unknown): readonly unknown[] {
  const { errors } = (thrown ?? {}) as { errors?: unknown };
  return thrown instanceof AggregateError && Array.isArray(errors) ? errors.slice(0, MOST_REASONS) : [];
}

function textWithErrors(thrown: unknown): string {
  const errors = safelyGet(() => gatheredBy(thrown)) ?? [];
  return errors.length === 0 ? textOf(thrown) : `${textOf(thrown)} (${errors.map(textOf).join('; ')})`;
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? safelyGet(() => thrown.cause) : undefined;
}

function safelyGet<Value>(get: () => Value): Value | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** Nest's filters for messages throw objects with a message. */
function textOfObject(thrown: object): string {
  const { message } = thrown as { message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(thrown);
}

function safely(text: () => string): string {
  try {
    // RabbitMQ writes several lines where it has much to say; a log has one.
    return text().replace(/\s*[\r\n]+\s*/g, ' ');
  } catch {
    return 'an object without a text';
  }
}
