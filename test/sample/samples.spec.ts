import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { pythonVersions } from '../interop/support/python-peer.js';
import { useVhost } from '../support/rabbit.js';
import { buildSamples, runSample } from '../support/run-sample.js';

const vhost = useVhost({ mayLeave: /^reply_/ });

beforeAll(buildSamples, 300_000);

async function outputOf(name: string, environment: Record<string, string>): Promise<string> {
  const { exitCode, stdout, stderr } = await runSample(name, environment);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe.each(['memory', 'rabbit'])('on the %s bus', (bus) => {
  const environment = (): Record<string, string> => (bus === 'memory' ? {} : { OSLO_TRANSPORT_URL: vhost.url });

  it('01 shows a call, a cast, a fanout, a failing call and a notification', async () => {
    const output = await outputOf('01-rpc-server-and-client', environment());
    expect(output).toContain("{ pong: 'hello', servedBy: 'host1' }");
    expect(output).toContain('(server) reloading the flavors');
    expect(output).toContain('(server) reloading everything');
    expect(output).toContain('HostNotFound: Host n7 could not be found.');
    expect(output).toContain("(listener) conductor.host1 says conductor.host.evacuated: { host: 'host7' }");
    expect(output).not.toContain('guest');
  });

  it('02 is called back with the result', async () => {
    const output = await outputOf('02-callback', environment());
    expect(output.trim().split('\n').slice(-3)).toEqual([
      'B: please resize sunset.png, and tell me at requester.b1',
      'A: resizing sunset.png',
      'B: sunset.png is now 640 pixels wide',
    ]);
  });

  it('03 reaches any server, a chosen one, all of them, and each version', async () => {
    const output = await outputOf('03-targets', environment());
    expect(output.match(/compute, compute\.host[123], compute_fanout_[0-9a-f]{32}/g)).toHaveLength(3);
    expect(output).toContain('host2 in version 1');
    expect(output).toContain('host1, host2, host3');
    expect(output).toMatch(/1\.3: host[123] in version 1/);
    expect(output).toMatch(/2\.0: host[123] in version 2/);
    expect(output).toContain('1.9: UnsupportedVersion');
    expect(output).toContain('3.0: UnsupportedVersion');
  });

  it('05 answers over HTTP what came from the bus, exactly', async () => {
    const output = await outputOf('05-hybrid-http', environment());
    expect(output).toContain('GET /volumes/v1: 500 {"statusCode":500,"message":"Internal server error"}');
    expect(output).toContain('GET /volumes/v1: 200 {"id":"v1","bytes":"1152921504606846977"}');
  });

  it('06 notifies the bus, the log and the tests, without secrets', async () => {
    const output = await outputOf('06-notifier', environment());
    expect(output).toMatch(/oslo\.messaging\.notification\.instance\.create\n.*"admin_password":"\*\*\*"/);
    expect(output.trim().split('\n').slice(-3)).toEqual([
      '  compute.instance.create.start by compute.host1: {"user":"demo","auth_token":null,"request_id":"req-1"}',
      '  compute.instance.create.end by compute.host1: {"request_id":"req-2"}',
      '  compute.instance.usage by billing.host1: {"user":"demo","auth_token":null,"request_id":"req-1"}',
    ]);
    expect(output).not.toMatch(/secret"|hush/);
  });

  it('07 hears, filters, requeues, collects and unwraps', async () => {
    const output = await outputOf('07-notification-listener', environment());
    expect(output.trim().split('\n').toSorted()).toEqual([
      'Listening to notifications.error, notifications.info, notifications.sample, versioned_notifications.info',
      'a batch of 3: 5, 80, 20 % of CPU',
      'compute.host1 says compute.instance.create.end of web, for demo',
      'error, try 1: no valid host',
      'error, try 2 (redelivered): no valid host',
      'error, try 3 (redelivered): no valid host',
      'versioned: i-1 has 2 CPUs',
    ]);
  });

  it('08 hands each order to one worker per way, and the fanout to all', async () => {
    const output = await outputOf('08-publish-subscribe', environment());
    const heard = output.match(/(common|pool) +order \d: worker[12]|fanout +worker[12]/g)!;
    const orders = [1, 2, 3, 4].flatMap((order) => [`common order ${order}`, `pool order ${order}`]);
    const withoutTakers = heard.map((line) => line.replace(/: worker[12]/, '').replace(/ +/, ' '));
    expect(withoutTakers.toSorted()).toEqual([...orders, 'fanout worker1', 'fanout worker2'].toSorted());
  });

  it('09 routes by the rules of its file', async () => {
    const output = await outputOf('09-notification-routing', environment());
    const [created, failed, slow, used] = output.trim().split(/^(?=\w)/m);
    expect(created).not.toContain('bus');
    expect(failed).toContain('bus      an instance failed');
    expect(slow).not.toContain('bus');
    expect(used).toContain('bus      3 hours');
    expect(used).toContain('ledger   compute.usage {"text":"3 hours"}');
    expect(output.match(/^ {2}log /gm)).toHaveLength(4);
  });

  it('11 passes on calls, failures, casts, fanouts and contexts', async () => {
    const output = await outputOf('11-proxy', environment());
    expect(output.trim().split('\n')).toEqual([
      'behind: add, for {"user_id":"u1"} (1)',
      'a + b = 3',
      'a / 0: RemoteError: builtins.ValueError: division by zero',
      expect.stringContaining('behind: reload, by cast'),
      expect.stringContaining('behind: reload, by fanout'),
    ]);
  });

  it('12 has one trace from the call to the notification, and counts', async () => {
    const output = await outputOf('12-tracing-and-metrics', environment());
    const lines = output.trim().split('\n');
    expect(lines.slice(0, 6).toSorted()).toEqual(
      [
        'sunset.png, resized',
        '  the same trace: image.resize.end send',
        '  the same trace: image.resize.end receive',
        '  the same trace: resize receive',
        '  the same trace: resize send',
        'RemoteError: builtins.ValueError: too many pixels',
      ].toSorted(),
    );
    expect(output).toMatch(/^oslo_messaging_rpc_client_exception_total\{.*exception="ValueError"\} 1$/m);
    expect(output).toMatch(/^oslo_messaging_rpc_server_invocation_end_total\{.*topic="images".*\} 2$/m);
    expect(output).toContain('nestjs_oslo_handler_slots{server="host1",topic="images"} 64');
  });
});

it('10 checks a service on a bus of its own, faults included', async () => {
  const output = await outputOf('10-testing-without-a-broker', {});
  expect(output.match(/^ok: /gm)).toHaveLength(5);
});

describe.each(pythonVersions)('beside oslo.messaging %s', (version) => {
  it('04 calls Python and is called by Python', async () => {
    const environment = {
      OSLO_TRANSPORT_URL: vhost.url,
      PYTHON: resolve(`.cache/venv/${version}/bin/python`),
      PYTHONWARNINGS: 'ignore',
    };
    const { exitCode, stdout, stderr } = await runSample('04-python-peer', environment);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain("Python counts: { item: 'spoons', count: 42 }");
    expect(stdout).toContain('Nest: Python asks for the price of spoons');
    expect(stdout).toContain('Python orders: spoons for 12.5 EUR');
    expect(stdout).toContain("Python fails: LookupError [ 'no such item', 'unicorns' ]");
  });
});
