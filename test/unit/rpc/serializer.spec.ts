import { describe, expect, it } from 'vitest';
import type { Serializer } from '../../../lib/index.js';
import { useRpcBus } from './support/rpc-bus.js';

/** Notes what it was asked, in order, with which context. */
class NotingSerializer implements Serializer {
  readonly notes: unknown[][] = [];
  serializeEntity(context: object, entity: unknown): unknown {
    this.notes.push(['serializeEntity', context, entity]);
    return { wrapped: entity };
  }
  deserializeEntity(context: object, entity: unknown): unknown {
    this.notes.push(['deserializeEntity', context, entity]);
    return `opened ${JSON.stringify(entity)}`;
  }
  serializeContext(context: object): Record<string, unknown> {
    this.notes.push(['serializeContext', context]);
    return { sent: context };
  }
  deserializeContext(context: object): Record<string, unknown> {
    this.notes.push(['deserializeContext', context]);
    return { received: context };
  }
}

describe('a serializer', () => {
  const on = useRpcBus();

  it('of a client: each argument and the result with the original context, then the context', async () => {
    const peer = on().peer();
    await peer.serve();
    const serializer = new NotingSerializer();
    const context = { user: 'u' };
    const calling = on().client({ serializer }).call('work', { a: 1, b: null }, { context });
    const request = await peer.next();
    expect(request.message).toMatchObject({
      args: { a: { wrapped: 1 }, b: { wrapped: null } },
      _context_sent: { user: 'u' },
    });
    await peer.answer(request, { result: 7 });
    expect(await calling).toBe('opened 7');
    expect(serializer.notes).toEqual([
      ['serializeEntity', context, 1],
      ['serializeEntity', context, null],
      ['serializeContext', context],
      ['deserializeEntity', context, 7],
    ]);
  });

  it('of a server: the context, then each argument, then the result', async () => {
    const peer = on().peer();
    await peer.listenForReplies();
    const serializer = new NotingSerializer();
    const seen: unknown[] = [];
    const work = (args: object, { requestContext }: { requestContext: object }): string => {
      seen.push(args, requestContext);
      return 'result';
    };
    await on().serve({ work }, { serializer });
    const reply = await peer.ask('work', { args: { a: 1, b: [2] }, _context_user: 'u' });
    const received = { received: { user: 'u' } };
    expect(reply).toMatchObject({ result: { wrapped: 'result' } });
    expect(seen).toEqual([{ a: 'opened 1', b: 'opened [2]' }, received]);
    expect(serializer.notes).toEqual([
      ['deserializeContext', { user: 'u' }],
      ['deserializeEntity', received, 1],
      ['deserializeEntity', received, [2]],
      ['serializeEntity', received, 'result'],
    ]);
  });

  it('is not asked about failures; what it throws itself is one', async () => {
    const peer = on().peer();
    await peer.listenForReplies();
    const serializer = new NotingSerializer();
    serializer.serializeEntity = () => {
      throw new TypeError('unknown entity');
    };
    await on().serve(
      {
        fail: () => {
          throw new Error('f');
        },
        work: () => 'result',
      },
      { serializer },
    );
    expect(await peer.askForFailure('fail')).toMatchObject({ message: 'f', args: ['f'] });
    expect(await peer.askForFailure('work')).toMatchObject({ class: 'TypeError', message: 'unknown entity' });
    expect(serializer.notes).toEqual([
      ['deserializeContext', {}],
      ['deserializeContext', {}],
    ]);
  });
});
