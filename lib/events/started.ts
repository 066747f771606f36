/**
 * Starts `work` at once; what it throws rejects.
 *
 * Unlike an async function, whose arguments live until it ends, this keeps nothing of `work` while it waits.
 */
export function started<T>(work: () => PromiseLike<T> | T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}
