import { describe, expect, it } from 'vitest';
import {
  ClientOsloRpc,
  ConfigurationError,
  connectBroker,
  createBroker,
  InvalidTransportUrl,
  NotificationListener,
  NotificationModule,
  NotifierCore,
  OnNotification,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcModule,
  RpcClient,
  RpcServer,
  ServerOsloRpc,
} from '../../../lib/index.js';

const broker = createBroker('memory://option-bags');
const target = { topic: 't', server: 's' };
const bus = { transportUrl: 'memory://option-bags', logEvents: false };

type Bag = Record<string, unknown>;
/** Every entry point that takes options. */
const ENTRIES: Readonly<Record<string, (options: Bag) => unknown>> = {
  createBroker: (options) => createBroker('memory://x', options),
  connectBroker: (options) => connectBroker('memory://x', options),
  RpcClient: (options) => new RpcClient(broker, { topic: 't' }, options),
  'RpcClient.prepare': (options) => new RpcClient(broker, { topic: 't' }).prepare(options),
  'RpcClient.call': (options) => new RpcClient(broker, { topic: 't' }).call('m', {}, options),
  'RpcClient.cast': (options) => new RpcClient(broker, { topic: 't' }).cast('m', {}, options),
  'a target': (options) => new RpcClient(broker, options),
  RpcServer: (options) => new RpcServer(broker, target, [], options),
  'an endpoint': (options) => new RpcServer(broker, target, [{ methods: {}, ...options }]),
  NotifierCore: (options) => new NotifierCore(broker, options),
  NotificationListener: (options) => new NotificationListener(broker, [], options),
  ClientOsloRpc: (options) => new ClientOsloRpc({ ...bus, ...options }),
  OsloClient: (options) => new OsloClient({ ...bus, ...options }),
  ServerOsloRpc: (options) => new ServerOsloRpc({ ...bus, ...options }),
  'OsloRpcModule.forRoot': (options) => OsloRpcModule.forRoot(options),
  'NotificationModule.forRoot': (options) => NotificationModule.forRoot(options),
  '@OnNotification': (options) => OnNotification('info', options),
  '@OsloEndpoint': (options) => OsloEndpoint(options),
  '@OsloMethod': (options) => OsloMethod(options),
};

/** What it throws, or rejects with. */
async function refusal(entry: string, options: Bag): Promise<unknown> {
  try {
    await ENTRIES[entry]!(options);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each(Object.keys(ENTRIES))('%s', (entry) => {
  it.each(['tls', 'noSuchOption', 'constructor', '__proto__x'])('refuses the unknown option %s', async (name) => {
    const error = await refusal(entry, { [name]: true });
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ code: 'OSLO_CONFIG_INVALID', message: expect.stringContaining(`'${name}'`) });
  });
});

describe('a value that makes no sense is refused, with the option, the value and what was expected', () => {
  it.each<[string, Bag, RegExp]>([
    ['createBroker', { heartbeatTimeoutTreshold: 3 }, /did you mean 'heartbeatTimeoutThreshold'/],
    ['createBroker', { amqp_durable_queues: true }, /did you mean 'amqpDurableQueues'/],
    ['createBroker', { amqpDurableQueues: 'false' }, /amqpDurableQueues must be true or false, not 'false'/],
    ['createBroker', { connectionName: '' }, /connectionName must be a string that is not empty, not ''/],
    ['connectBroker', { startupTimeoutMs: '100' }, /startupTimeoutMs must be a number of milliseconds/],
    ['RpcClient', { timout: 5 }, /did you mean 'timeout'/],
    ['RpcClient', { timeout: '5' }, /timeout must be a number of seconds, 0 or more, or null, not '5'/],
    ['RpcClient', { versionCap: 'abc' }, /versionCap must be a version such as '1\.0', or null, not 'abc'/],
    ['RpcClient', { integers: 'big' }, /integers must be one of exact, number, not 'big'/],
    ['RpcClient', { hooks: 5 }, /hooks must be a list, not 5/],
    ['RpcClient', { remoteExceptions: { HostNotFound: Error } }, /remoteExceptions must have keys such as/],
    ['RpcClient', { remoteExceptions: { 'a.B': 'C' } }, /remoteExceptions\['a\.B'\] must be a class/],
    ['RpcClient', { transportOptions: { atLeastOnc: true } }, /did you mean 'atLeastOnce'/],
    ['RpcClient.prepare', { retry: -2 }, /retry must be an integer of at least -1/],
    ['RpcServer', { accessPolicy: {} }, /accessPolicy must be an object with isAllowed/],
    ['RpcServer', { sendTraceback: 'false' }, /sendTraceback must be true or false/],
    ['RpcServer', { pythonExceptions: [[URIError, 'QuotaError']] }, /pythonExceptions must be pairs/],
    ['RpcServer', { executorThreadPoolSize: 0 }, /executorThreadPoolSize must be an integer of at least 1/],
    ['ServerOsloRpc', { exchange: '' }, /exchange must be a string that is not empty/],
    ['ServerOsloRpc', { transportUrl: '' }, /transportUrl must be a string that is not empty/],
    ['ServerOsloRpc', { sslCAFile: '/x' }, /did you mean 'sslCaFile'/],
    ['OsloClient', { forwardContext: 'nevr' }, /forwardContext must be one of always, never, same-transport/],
    ['OsloClient', { startup: 'fast' }, /startup must be one of background, fail-fast, wait/],
    ['NotifierCore', { topics: 'notifications' }, /topics must be a list of names, not 'notifications'/],
    ['NotificationListener', { onDeadLetter: true }, /onDeadLetter must be a function, not true/],
    ['NotificationModule.forRoot', { publisherID: 'x' }, /did you mean 'publisherId'/],
  ])('%s %o', async (entry, options, message) => {
    const error = await refusal(entry, options);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
  });

  it('also where a module is made asynchronously', async () => {
    const { providers = [] } = OsloRpcModule.forRootAsync({ useFactory: () => ({ transportURL: 'x' }) as object });
    const { useFactory } = providers[0] as { useFactory: () => Promise<unknown> };
    await expect(useFactory()).rejects.toThrow("did you mean 'transportUrl'");
  });

  it('no object or long text is shown', async () => {
    const secret = { toString: () => 's3cret' };
    expect(String(await refusal('RpcClient', { timeout: secret }))).not.toContain('s3cret');
    expect(String(await refusal('RpcClient', { integers: 'x'.repeat(10_000) })).length).toBeLessThan(300);
  });
});

describe('a transport URL whose password is not encoded', () => {
  it.each([
    'rabbit://admin:1234?secret@host:5672/',
    'rabbit://admin:12#secret@host/',
    'rabbit://u:p@h1,admin:12?secret@h2/',
  ])('is refused, with a hint and without the password: %s', (url) => {
    let error: unknown;
    try {
      createBroker(url);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidTransportUrl);
    expect(String(error)).toMatch(/percent-encoded/);
    expect(String(error)).not.toMatch(/12|secret/);
  });
});
