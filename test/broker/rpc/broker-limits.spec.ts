import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { MalformedMessage, RemoteError, RpcClient, RpcServer } from '../../../lib/index.js';
import { type RabbitServer, startRabbit } from '../../support/rabbit-server.js';
import { useVhost } from '../../support/rabbit.js';
import { useBrokers } from '../rabbit/rabbit-brokers.js';

let rabbit: RabbitServer;
beforeAll(async () => {
  rabbit = await startRabbit({ configuration: ['max_message_size = 100000'] });
});
// Hooks end in the reverse order: the server last.
afterAll(() => rabbit?.dispose());
const vhost = useVhost({ server: () => rabbit });
const brokers = useBrokers(afterEach);

it('what is larger than the broker takes is an error of its own on either side, and stops nobody', async () => {
  const target = { exchange: 'nova', topic: 'conductor' };
  const serving = brokers.open(vhost.url);
  const methods = {
    echo: (args: object) => args,
    large: () => 'x'.repeat(200_000),
    fail: () => Promise.reject(new RangeError('y'.repeat(200_000))),
  };
  const server = new RpcServer(serving, { ...target, server: 'host1' }, [{ methods }]);
  await server.start();
  const calling = brokers.open(vhost.url);
  const client = new RpcClient(calling, target, { timeout: 20 });
  const good = Promise.all(Array.from({ length: 50 }, (_, n) => client.call('echo', { n })));

  const sent = client.call('echo', { text: 'z'.repeat(200_000) });
  await expect(sent).rejects.toBeInstanceOf(MalformedMessage);
  await expect(sent).rejects.toMatchObject({ fault: 'caller', message: expect.stringMatching(/configured max size/) });
  const answered = client.call('large');
  await expect(answered).rejects.toBeInstanceOf(RemoteError);
  await expect(answered).rejects.toMatchObject({ remoteMessage: expect.stringMatching(/configured max size/) });
  await expect(client.call('fail')).rejects.toMatchObject({ excType: 'ValueError', remoteMessage: 'y'.repeat(1000) });

  expect(await good).toHaveLength(50);
  expect(serving.reports('reply-dropped')).toEqual([]);
  expect(serving.reports('handler-failed')).toHaveLength(2);
  await client.close();
  await server.close();
}, 60_000);
