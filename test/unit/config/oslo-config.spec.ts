import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError, InvalidTransportUrl, loadOsloConfig, type OsloConfig } from '../../../lib/index.js';
import { readGolden } from '../../golden/read-golden.js';

interface PythonCase {
  files: string[];
  values?: Record<string, unknown>;
  refused?: string;
}

const [today, before] = ['18.3.1', '14.0.3'].map(
  (version) => (readGolden(`oslo_config.${version}.json`) as { cases: PythonCase[] }).cases,
) as [PythonCase[], PythonCase[]];

let directory: string;
let written = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oslo-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string, name = `${(written += 1)}.conf`): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function load(...texts: string[]): OsloConfig {
  return loadOsloConfig(texts.map((text) => write(text)));
}

function refusal(...texts: string[]): Error {
  try {
    load(...texts);
  } catch (error) {
    return error as Error;
  }
  throw new Error('not refused');
}

/** By oslo's names, what is set. */
function byOsloNames(config: OsloConfig): Record<string, unknown> {
  const { rabbit, notifications } = config;
  const values = {
    'DEFAULT.transport_url': config.transportUrl,
    'DEFAULT.control_exchange': config.exchange,
    'DEFAULT.rpc_response_timeout': config.timeout,
    'DEFAULT.executor_thread_pool_size': config.executorThreadPoolSize,
    'DEFAULT.rpc_ping_enabled': config.rpcPingEnabled,
    'oslo_messaging_rabbit.ssl': rabbit.ssl,
    'oslo_messaging_rabbit.ssl_ca_file': rabbit.sslCaFile,
    'oslo_messaging_rabbit.heartbeat_timeout_threshold': rabbit.heartbeatTimeoutThreshold,
    'oslo_messaging_rabbit.kombu_missing_consumer_retry_timeout': rabbit.kombuMissingConsumerRetryTimeout,
    'oslo_messaging_rabbit.kombu_reconnect_delay': rabbit.kombuReconnectDelay,
    'oslo_messaging_rabbit.rabbit_quorum_queue': rabbit.rabbitQuorumQueue,
    'oslo_messaging_notifications.driver': notifications.driver.length > 0 ? notifications.driver : undefined,
    'oslo_messaging_notifications.transport_url': notifications.transportUrl,
    'oslo_messaging_notifications.topics': notifications.topics,
    'oslo_messaging_notifications.retry': notifications.retry,
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

// Python looks for the group [DEFAULT], which is none; and an empty driver is one without effect.
const lenient = new Set(['${DEFAULT.transport_url}', 'driver =\n']);
const isLenient = ({ files }: PythonCase): boolean =>
  files.some((text) => [...lenient].some((part) => text.includes(part)));

describe('files that oslo.config understands', () => {
  // The older one: it knows the names of its day and of ours.
  const understood = before.filter((one) => one.values && !isLenient(one));
  it.each(understood.map((one) => [JSON.stringify(one.files), one] as const))('%s', (_name, { files, values }) => {
    expect(byOsloNames(load(...files))).toEqual(values);
  });
});

describe('files that oslo.config refuses', () => {
  const refused = today.filter((one) => one.refused !== undefined && !isLenient(one));
  it.each(refused.map(({ files }) => [JSON.stringify(files), files] as const))('%s', (_name, files) => {
    expect(refusal(...files)).toBeInstanceOf(ConfigurationError);
  });
});

describe('an error names file, section, option, value and what was expected', () => {
  it.each([
    [
      '[DEFAULT]\nrpc_response_timeout = soon\n',
      /Option rpc_response_timeout in \[DEFAULT\] of .*conf must be an integer of at least 1, not 'soon'/,
    ],
    [
      '[oslo_messaging_rabbit]\nssl = maybe\n',
      /Option ssl in \[oslo_messaging_rabbit\] of .*conf must be true or false, not 'maybe'/,
    ],
    ['[oslo_messaging_rabbit]\nrabbit_use_ssl = maybe\n', /Option rabbit_use_ssl in \[oslo_messaging_rabbit\] of /],
    [
      '[oslo_messaging_rabbit]\nkombu_reconnect_delay = 9\n',
      /Option kombu_reconnect_delay in .* must be a number from 0 to 4\.5, not 9/,
    ],
    [
      '[oslo_messaging_notifications]\nretry = -2\n',
      /Option retry in \[oslo_messaging_notifications\] of .* at least -1/,
    ],
    ['[DEFAULT]\nhost\n', /conf, line 2: '=' is missing/],
    ['[DEFAULT]\nrpc_backend = qpid\n', /Option rpc_backend in \[DEFAULT\] of .* must be rabbit, not 'qpid'/],
    [
      '[DEFAULT]\ntransport_url = rabbit://u:pa$word@h/\n',
      /transport_url in \[DEFAULT\] of .* refers to what is not there: write \$\$/,
    ],
    ['[DEFAULT]\ncontrol_exchange = $control_exchange\n', /control_exchange in .* refers to itself, or to too much/],
    ['[DEFAULT]\ncontrol_exchange = $nowhere\n', /control_exchange in .* refers to what is not there \(\$nowhere\)/],
    [
      '[DEFAULT]\ntransport_url = rabbit://h/?ssl=maybe\n',
      /Option ssl of transport_url in \[DEFAULT\] of .*\.conf must be true or false, not 'maybe'/,
    ],
  ])('%j', (text, message) => {
    const error = refusal(text);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toMatch(message);
  });

  it('a URL, without its password', () => {
    const error = refusal('[DEFAULT]\ntransport_url = rabbit://u:hunter2@h:port/\n');
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.cause).toBeInstanceOf(InvalidTransportUrl);
    expect(error.message).toMatch(/Option transport_url in \[DEFAULT\] of .*conf: Invalid transport URL/);
    expect(error.message).not.toContain('hunter2');
  });

  it('a file that is not there', () => {
    expect(() => loadOsloConfig('/no/such.conf')).toThrow(/\/no\/such\.conf cannot be read: ENOENT/);
  });
});

it('refuses at once what refers to more and more', () => {
  const levels = Array.from({ length: 19 }, (_, n) => `x${n} = ${`$x${n + 1}`.repeat(10)}`);
  const text = `[DEFAULT]\ncontrol_exchange = $x0\n${levels.join('\n')}\nx19 =\n`;
  expect(refusal(text).message).toMatch(/control_exchange in .* refers to itself, or to too much/);
});

it('lets the query of the URL rule over the section, and its scheme', () => {
  const { rabbit } = load(
    '[DEFAULT]\ntransport_url = rabbit+ssl://h/?heartbeat_timeout_threshold=20\n' +
      '[oslo_messaging_rabbit]\nssl = false\nheartbeat_timeout_threshold = 10\nrabbit_transient_queues_ttl = 10\n',
  );
  expect(rabbit).toEqual({ ssl: true, heartbeatTimeoutThreshold: 20, rabbitTransientQueuesTtl: 10 });
});

it('sends by each driver once, however often it is named', () => {
  const text = '[oslo_messaging_notifications]\ndriver = messagingv2\n';
  expect(load(text, text).notifications.driver).toEqual(['messagingv2']);
});

it('reads a directory in the order of names, and nothing else in it', () => {
  const own = join(directory, 'nova.conf.d');
  mkdirSync(join(own, 'deeper'), { recursive: true });
  write('[DEFAULT]\ncontrol_exchange = second\nrpc_response_timeout = 2\n', 'nova.conf.d/20.conf');
  write('[DEFAULT]\ncontrol_exchange = first\nexecutor_thread_pool_size = 1\n', 'nova.conf.d/10.conf');
  write('rubbish', 'nova.conf.d/30.conf.bak');
  expect(loadOsloConfig(own)).toMatchObject({ exchange: 'second', timeout: 2, executorThreadPoolSize: 1 });
  expect(loadOsloConfig(own).files.map((path) => path.slice(-7))).toEqual(['10.conf', '20.conf']);
});

describe('files of the time before transport URLs', () => {
  it.each([
    ['[DEFAULT]\nrpc_backend = rabbit\n', 'rabbit://guest:guest@localhost:5672/%2F'],
    [
      '[DEFAULT]\nrpc_backend = nova.openstack.common.rpc.impl_kombu\nrabbit_host = mq1\n',
      'rabbit://guest:guest@mq1:5672/%2F',
    ],
    [
      '[DEFAULT]\nrabbit_host = mq1\nrabbit_port = 5671\nrabbit_userid = nova\nrabbit_password = a/b@c\nrabbit_virtual_host = v\n',
      'rabbit://nova:a%2Fb%40c@mq1:5671/v',
    ],
    [
      '[oslo_messaging_rabbit]\nrabbit_hosts = mq1:5673, mq2\nrabbit_userid = nova\nrabbit_password = x\n',
      'rabbit://nova:x@mq1:5673,nova:x@mq2:5672/%2F',
    ],
  ])('%j', (text, url) => {
    expect(load(text).transportUrl?.replace(/\/\/$/, '/%2F')).toBe(url);
  });

  it('the URL rules where there is one', () => {
    const text = '[DEFAULT]\nrpc_backend = rabbit\nrabbit_host = old\ntransport_url = rabbit://new/\n';
    expect(load(text).transportUrl).toBe('rabbit://new/');
  });

  it('notes what is ignored, and TLS by its old names', () => {
    const { notes, rabbit } = load('[DEFAULT]\nrpc_backend = rabbit\nbind_host = 0.0.0.0\nrabbit_use_ssl = true\n');
    expect(notes).toEqual([expect.stringMatching(/Ignored.*\[DEFAULT\] bind_host of .*\.conf/)]);
    expect(rabbit).toEqual({ ssl: true });
  });

  it.each([
    ['nova.openstack.common.notifier.rpc_notifier', 'messaging'],
    ['nova.openstack.common.notifier.no_op_notifier', 'noop'],
    ['oslo.messaging.notify._impl_messaging:MessagingV2Driver', 'messagingv2'],
  ])('the driver %s is %s', (old, name) => {
    expect(load(`[DEFAULT]\nnotification_driver = ${old}\n`).notifications.driver).toEqual([name]);
  });
});

it('notes unknown options of our sections, and nothing of others', () => {
  const { notes } = load('[DEFAULT]\nmy_ip = 1\n[oslo_messaging_rabbit]\nrabbit_spam = 1\nssl = 0\n[neutron]\nx = 1\n');
  expect(notes).toEqual([expect.stringContaining('[oslo_messaging_rabbit] rabbit_spam of ')]);
});

it('shows no password', () => {
  const config = load(
    '[DEFAULT]\ntransport_url = rabbit://u:hunter2@h/\n[oslo_messaging_notifications]\ntransport_url = rabbit://u:hunter2@h/\n',
  );
  expect(config.transportUrl).toContain('hunter2');
  expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('hunter2');
});

it('reads a file with a byte order mark, of another system, and one that is very long', () => {
  const text = `\uFEFF[DEFAULT]\r\n${'# comment\r\n'.repeat(50_000)}control_exchange = nova\r\n`;
  expect(load(text).exchange).toBe('nova');
  expect(refusal('#'.repeat(17 * 1024 * 1024)).message).toMatch(/cannot be read: it has \d+ bytes/);
});
