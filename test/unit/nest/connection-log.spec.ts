import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClientOsloRpc, OsloClient, OsloEndpoint, OsloMethod } from '../../../lib/index.js';
import { newBusUrl, rootModule, serve } from './nest-apps.js';

/** Nobody listens there. */
const nobodyThere = 'rabbit://guest:hush@127.0.0.1:1/cell1';
const brief = { topic: 'conductor', startup: 'fail-fast', timeout: 1 } as const;

async function failToConnect(client: { connect(): Promise<unknown>; close(): Promise<void> }): Promise<void> {
  onTestFinished(() => client.close());
  await expect(client.connect()).rejects.toThrow('ECONNREFUSED');
}

describe('lines of the log about connections', () => {
  const written = (['debug', 'error', 'log', 'warn'] as const).map((level) =>
    vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined),
  );
  const lines = () => written.flatMap(({ mock }) => mock.calls.map(([line]) => String(line)));
  beforeEach(() => {
    for (const spy of written) spy.mockClear();
  });

  it('of RabbitMQ name host, virtual host, and what the connection is for, and no password', async () => {
    await failToConnect(new ClientOsloRpc({ ...brief, transportUrl: nobodyThere }));
    const place = '127.0.0.1:1 (virtual host cell1, publishing)';
    expect(lines()).toContainEqual(`Connecting to ${place}`);
    expect(lines()).toContainEqual(expect.stringContaining(`Connecting to ${place} failed: connect ECONNREFUSED`));
    expect(lines().join()).not.toContain('hush');
  });

  it('of the embedded bus name it, and what the connection is for, from the first to the last', async () => {
    @OsloEndpoint()
    class PingEndpoint {
      @OsloMethod()
      ping() {
        return 'pong';
      }
    }
    const transportUrl = newBusUrl();
    const { app, events, server } = await serve(rootModule([PingEndpoint]), { transportUrl });
    // The server is gone before the last of them.
    server.unwrap().events.subscribe((event) => events.push(event));
    await app.close();
    const texts = events.map(({ message }) => message);
    for (const use of ['publishing', 'consuming']) {
      expect(texts).toContain(`Connected to ${transportUrl} (${use})`);
      expect(texts).toContain(`The connection to ${transportUrl} (${use}) is closed`);
    }
  });
});

describe('an OsloClient that no module has made', () => {
  const stdout = vi.spyOn(process.stdout, 'write');
  const told = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const log = vi.spyOn(Logger.prototype, 'log');
  beforeEach(() => {
    for (const spy of [stdout, told, log]) spy.mockClear();
  });

  /** Its life from the first to the last, and its failures. */
  async function live(logEvents?: boolean): Promise<void> {
    const options = logEvents === undefined ? {} : { logEvents };
    const client = new OsloClient({ topic: 'conductor', transportUrl: newBusUrl(), ...options });
    await client.connect();
    await client.cast('reload', {});
    await client.close();
  }

  it('writes nothing to stdout', async () => {
    await live();
    await failToConnect(new OsloClient({ ...brief, transportUrl: nobodyThere }));
    expect(stdout).not.toHaveBeenCalled();
    expect(told).toHaveBeenCalledWith(
      expect.stringMatching(/^nestjs-oslo-messaging: .*127\.0\.0\.1:1 \(virtual host cell1/),
    );
  });

  it('writes to the log with logEvents', async () => {
    await live(true);
    expect(log).toHaveBeenCalledWith(expect.stringContaining('Connected to memory://'));
  });
});
