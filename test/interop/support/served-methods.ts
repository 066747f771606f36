import { setTimeout as delay } from 'node:timers/promises';
import { type IncomingRequest, multicall, type RpcHandler } from '../../../lib/index.js';

/** Stands for `harness_errors.HostNotFound`, which the Python peer knows. */
export class HarnessHostNotFound extends Error {
  readonly args: unknown[];
  constructor(
    message: string,
    readonly kwargs: Record<string, unknown> = {},
  ) {
    super(message);
    this.args = [message];
  }
}

function failing(error: () => unknown): () => never {
  return () => {
    throw error();
  };
}

function circular(): unknown[] {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

const text = 'told to fail';

/** What our servers offer to Python clients; the counterpart of `endpoints.py`. */
export function servedMethods(): Map<string, RpcHandler> {
  return new Map<string, RpcHandler>([
    ['echo', (args: object) => args],
    ['context', (_args: object, request: IncomingRequest) => request.requestContext],
    ['kind', ({ value }: { value: unknown }) => [typeof value, String(value)]],
    ['length', (args: { text: string }) => args.text.length],
    ['large', () => 'x'.repeat(1 << 20)],
    ['nothing', () => undefined],
    ['date', () => new Date(Date.UTC(2024, 1, 29, 12, 34, 56, 789))],
    ['not_a_number', () => ({ nan: NaN })],
    ['_private', () => 'private'],
    ['slow', ({ seconds }: { seconds: number }) => delay(seconds * 1000, 'slept')],
    [
      'add',
      ({ a, b }: { a?: number; b?: number }) => {
        if (a === undefined || b === undefined) throw new TypeError('add takes a and b');
        return a + b;
      },
    ],
    [
      'several',
      multicall(async function* ({ values }: { values: unknown[] }) {
        yield* values;
      }),
    ],
    [
      'several_then_fail',
      multicall(function* () {
        yield 1;
        throw new RangeError(text);
      }),
    ],
    ['fail_type_error', failing(() => new TypeError(text))],
    ['fail_range_error', failing(() => new RangeError(text))],
    ['fail_enoent', failing(() => Object.assign(new Error(text), { code: 'ENOENT' }))],
    ['fail_plain_error', failing(() => new Error(text))],
    ['fail_host', failing(() => new HarnessHostNotFound('Host host9 could not be found.', { host: 'host9' }))],
    ['fail_text', failing(() => text)],
    ['fail_nothing', failing(() => undefined)],
    ['fail_unwritable', failing(() => Object.assign(new TypeError(text), { args: [circular(), 1n] }))],
    ['fail_circular_result', circular],
  ]);
}
