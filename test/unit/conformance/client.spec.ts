import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  InvalidTarget,
  loadOsloConfig,
  MessagingTimeout,
  type PrepareOptions,
  type RpcCallContext,
  type Serializer,
  type Target,
} from '../../../lib/index.js';
import type { Declaration } from '../../../lib/wire/topology.js';
import { multiplied, type Scenario } from '../../support/scenarios.js';
import { useRpcBus } from '../rpc/support/rpc-bus.js';

const on = useRpcBus();

/** A queue that gets whatever is sent to an exchange. */
function wiretap(exchange: string, type: 'fanout' | 'topic'): readonly Declaration[] {
  return [
    { kind: 'exchange', name: exchange, type, durable: false, autoDelete: type === 'fanout' },
    { kind: 'queue', name: `tap of ${exchange}`, durable: false, autoDelete: false, arguments: {} },
    { kind: 'binding', queue: `tap of ${exchange}`, exchange, routingKey: '#' },
  ];
}

/** Where a request went, and the target that stands in it. */
interface Sent {
  exchange: string;
  routingKey: string;
  namespace?: string;
  version?: string;
}

function sentTo(exchange: string): Sent[] {
  return on()
    .bus.messagesIn(`tap of ${exchange}`)
    .map(({ routingKey, content }) => {
      const envelope = JSON.parse(content.toString()) as { 'oslo.message': string };
      const {
        _unique_id: _id,
        method: _method,
        args: _args,
        ...target
      } = JSON.parse(envelope['oslo.message']) as Record<string, unknown>;
      return { ...target, exchange, routingKey };
    });
}

// TestCastToTarget. It looks at the target that the transport is given, where we look at what is on the bus:
// the default exchange is named there, and a topic is needed.
describe('a cast goes to the target of the client, changed by prepare: omitted is inherited, null is reset', () => {
  interface CastToTarget {
    ctor?: Target;
    prepare?: PrepareOptions;
    expected: Partial<Sent>;
  }
  const cases: Scenario<CastToTarget>[] = [
    ['exchange: of the client', { ctor: { exchange: 'testexchange' }, expected: { exchange: 'testexchange' } }],
    ['exchange: prepared', { prepare: { exchange: 'testexchange' }, expected: { exchange: 'testexchange' } }],
    ['exchange: reset', { ctor: { exchange: 'testexchange' }, prepare: { exchange: null }, expected: {} }],
    [
      'exchange: both',
      {
        ctor: { exchange: 'ctorexchange' },
        prepare: { exchange: 'testexchange' },
        expected: { exchange: 'testexchange' },
      },
    ],
    ['topic: of the client', { ctor: { topic: 'testtopic' }, expected: { routingKey: 'testtopic' } }],
    ['topic: prepared', { prepare: { topic: 'testtopic' }, expected: { routingKey: 'testtopic' } }],
    [
      'topic: both',
      { ctor: { topic: 'ctortopic' }, prepare: { topic: 'testtopic' }, expected: { routingKey: 'testtopic' } },
    ],
    ['namespace: of the client', { ctor: { namespace: 'testnamespace' }, expected: { namespace: 'testnamespace' } }],
    ['namespace: prepared', { prepare: { namespace: 'testnamespace' }, expected: { namespace: 'testnamespace' } }],
    ['namespace: reset', { ctor: { namespace: 'testnamespace' }, prepare: { namespace: null }, expected: {} }],
    [
      'namespace: both',
      {
        ctor: { namespace: 'ctornamespace' },
        prepare: { namespace: 'testnamespace' },
        expected: { namespace: 'testnamespace' },
      },
    ],
    ['version: of the client', { ctor: { version: '1.1' }, expected: { version: '1.1' } }],
    ['version: prepared', { prepare: { version: '1.1' }, expected: { version: '1.1' } }],
    ['version: reset', { ctor: { version: '1.1' }, prepare: { version: null }, expected: {} }],
    ['version: both', { ctor: { version: '1.0' }, prepare: { version: '1.1' }, expected: { version: '1.1' } }],
    ['server: of the client', { ctor: { server: 'testserver' }, expected: { routingKey: 'atopic.testserver' } }],
    ['server: prepared', { prepare: { server: 'testserver' }, expected: { routingKey: 'atopic.testserver' } }],
    ['server: reset', { ctor: { server: 'testserver' }, prepare: { server: null }, expected: {} }],
    [
      'server: both',
      {
        ctor: { server: 'ctorserver' },
        prepare: { server: 'testserver' },
        expected: { routingKey: 'atopic.testserver' },
      },
    ],
    ['fanout: of the client', { ctor: { fanout: true }, expected: { exchange: 'atopic_fanout', routingKey: '' } }],
    ['fanout: prepared', { prepare: { fanout: true }, expected: { exchange: 'atopic_fanout', routingKey: '' } }],
    ['fanout: reset', { ctor: { fanout: true }, prepare: { fanout: null }, expected: {} }],
    ['fanout: both, false by prepare', { ctor: { fanout: true }, prepare: { fanout: false }, expected: {} }],
  ];
  const withoutTopic: Scenario<{ ctor?: Target; prepare?: PrepareOptions }>[] = [
    ['nothing given', {}],
    ['topic: reset', { ctor: { topic: 'testtopic' }, prepare: { topic: null } }],
  ];
  const steps: Scenario<{ twice: boolean }>[] = [
    ['prepared once', { twice: false }],
    ['prepared twice', { twice: true }],
  ];

  function clientOf(target: Target, prepare: PrepareOptions | undefined, twice: boolean): RpcCallContext {
    const client = on().client({}, target);
    if (!prepare) return client;
    return twice ? client.prepare(prepare).prepare(prepare) : client.prepare(prepare);
  }

  it.each(multiplied(cases, steps))('%s', async (_name, { ctor, prepare, expected, twice }) => {
    const exchanges = ['openstack', 'testexchange', 'ctorexchange'];
    for (const exchange of exchanges) on().bus.declare(wiretap(exchange, 'topic'));
    on().bus.declare(wiretap('atopic_fanout', 'fanout'));
    await clientOf({ topic: 'atopic', ...ctor }, prepare, twice).cast('foo');
    expect([...exchanges, 'atopic_fanout'].flatMap(sentTo)).toEqual([
      { exchange: 'openstack', routingKey: 'atopic', ...expected },
    ]);
  });

  it.each(multiplied(withoutTopic, steps))(
    '%s: there is no topic, and nothing is sent',
    async (_name, { ctor = {}, prepare, twice }) => {
      await expect(clientOf(ctor, prepare, twice).cast('foo')).rejects.toBeInstanceOf(InvalidTarget);
    },
  );

  it('ours: a target whose version is none is refused when the client is made', () => {
    expect(() => on().client({}, { topic: 'atopic', version: 'ctorversion' })).toThrow(ConfigurationError);
  });
});

// TestCallTimeout.
describe('the timeout of a call', () => {
  /** `rpc_response_timeout` of a configuration file. */
  function configured(seconds: number): number | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    try {
      const path = join(folder, 'service.conf');
      writeFileSync(path, `[DEFAULT]\nrpc_response_timeout = ${seconds}\n`);
      return loadOsloConfig(path).timeout;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  interface CallTimeout {
    confval?: number;
    ctor?: number;
    prepare?: number;
    monitor?: number;
    expected: number;
  }
  it.each<Scenario<CallTimeout>>([
    ['none given: the default of rpc_response_timeout', { expected: 60 }],
    ['of the configuration', { confval: 21, expected: 21 }],
    ['of the client', { ctor: 21.1, expected: 21.1 }],
    ['prepared', { prepare: 21.1, expected: 21.1 }],
    ['prepared over the client’s', { ctor: 10.1, prepare: 21.1, expected: 21.1 }],
    ['prepared, with a call monitor', { prepare: 60, monitor: 30, expected: 60 }],
  ])('%s', async (_name, { confval, ctor, prepare, monitor, expected }) => {
    const peer = on().peer();
    await peer.serve();
    const timeout = ctor ?? (confval === undefined ? undefined : configured(confval));
    const client = on().client({ timeout, callMonitorTimeout: monitor });
    // The first call waits for the reply queue, which its timeout covers.
    const first = client.call('first');
    await peer.answer(await peer.next());
    await first;
    const calling = client.prepare(prepare === undefined ? {} : { timeout: prepare }).call('foo');
    const request = await peer.next();
    expect(request.expirationMs).toBe(expected * 1000);
    expect(request.message['_timeout']).toBe(monitor ?? null);
    await peer.answer(request);
    await calling;
  });

  it.each<Scenario<Pick<CallTimeout, 'ctor' | 'prepare'>>>([
    ['of the client', { ctor: 0 }],
    ['prepared', { prepare: 0 }],
  ])('zero is a timeout, and is over at once: %s', async (_name, { ctor, prepare }) => {
    const calling = on()
      .client({ timeout: ctor })
      .prepare(prepare === undefined ? {} : { timeout: prepare })
      .call('foo');
    await expect(calling).rejects.toBeInstanceOf(MessagingTimeout);
    await expect(calling).rejects.toThrow(/within 0 s/);
  });
});

// TestCallFanout.
describe('a call to a fanout target is refused', () => {
  it.each<Scenario<{ target: Target; prepare?: PrepareOptions }>>([
    ['by its target', { target: { fanout: true } }],
    ['prepared', { target: {}, prepare: { fanout: true } }],
    ['both', { target: { fanout: true }, prepare: { fanout: true } }],
  ])('%s', async (_name, { target, prepare = {} }) => {
    const client = on().client({}, { topic: 'atopic', ...target });
    await expect(client.prepare(prepare).call('foo')).rejects.toBeInstanceOf(InvalidTarget);
  });
});

// The client's TestSerializer.
describe('the arguments, the context and the result pass the serializer', () => {
  class NotingSerializer implements Serializer {
    readonly notes: unknown[][] = [];
    serializeEntity(context: object, entity: unknown): unknown {
      this.notes.push(['serializeEntity', context, entity]);
      return `s${String(entity)}`;
    }
    deserializeEntity(context: object, entity: unknown): unknown {
      this.notes.push(['deserializeEntity', context, entity]);
      return `d${String(entity)}`;
    }
    serializeContext(context: object): Record<string, unknown> {
      this.notes.push(['serializeContext', context]);
      return { user: 'alice' };
    }
    deserializeContext(context: Record<string, unknown>): Record<string, unknown> {
      return context;
    }
  }

  it.each(['cast', 'call'] as const)('of a %s', async (kind) => {
    const peer = on().peer();
    await peer.serve();
    const serializer = new NotingSerializer();
    const context = { user: 'bob' };
    const sending = on().client({ serializer })[kind]('foo', { a: 'a', b: 'b', c: 'c' }, { context });
    const request = await peer.next();
    expect(request.message).toMatchObject({
      method: 'foo',
      args: { a: 'sa', b: 'sb', c: 'sc' },
      _context_user: 'alice',
    });
    if (kind === 'call') await peer.answer(request, { result: 'd' });
    expect(await sending).toBe(kind === 'call' ? 'dd' : undefined);
    expect(serializer.notes).toEqual([
      ...['a', 'b', 'c'].map((arg) => ['serializeEntity', context, arg]),
      ['serializeContext', context],
      ...(kind === 'call' ? [['deserializeEntity', context, 'd']] : []),
    ]);
  });
});
