import { describe, expect, it } from 'vitest';
import { ManagementApi } from '../../../lib/observe/bus/management-api.js';

interface Asked {
  url: string;
  init: RequestInit;
}

function apiWith(
  answer: () => Response | Promise<Response>,
  url = 'http://ctl1:15672',
): { api: ManagementApi; asked: Asked[] } {
  const asked: Asked[] = [];
  const fetch = async (to: string, init: RequestInit): Promise<Response> => {
    asked.push({ url: to, init });
    return answer();
  };
  return { api: new ManagementApi(url, { username: 'nova', password: 'geheim' }, fetch), asked };
}

const json = (value: unknown, init?: ResponseInit): Response => new Response(JSON.stringify(value), init);
const authorization = ({ init }: Asked): string =>
  Buffer.from((init.headers as Record<string, string>).authorization!.slice('Basic '.length), 'base64').toString();

describe('the address', () => {
  it.each([
    ['http://ctl1:15672', 'http://ctl1:15672/api/nodes', 'nova:geheim'],
    ['http://ctl1:15672/', 'http://ctl1:15672/api/nodes', 'nova:geheim'],
    ['http://ctl1:15672/api/', 'http://ctl1:15672/api/nodes', 'nova:geheim'],
    ['https://ctl1/rabbit', 'https://ctl1/rabbit/api/nodes', 'nova:geheim'],
    ['http://admin:p%40ss@ctl1:15672', 'http://ctl1:15672/api/nodes', 'admin:p@ss'],
  ])('%s', async (url, expected, credentials) => {
    const { api, asked } = apiWith(() => json([]), url);
    await api.nodes();
    expect(asked[0]!.url.replace(/\?.*/, '')).toBe(expected);
    expect(authorization(asked[0]!)).toBe(credentials);
    // Our password is for that host alone.
    expect(asked[0]!.init.redirect).toBe('error');
    expect(api.url).not.toContain('@');
  });

  it.each(['ctl1:15672', 'rabbit://nova:geheim@ctl1', 'ftp://nova:geheim@ctl1', '', 'http://', 'http://u:%E0@h'])(
    "'%s' is none",
    (url) => {
      expect(() => apiWith(() => json([]), url)).toThrow(/is no URL of a management API/);
      expect(() => apiWith(() => json([]), url)).not.toThrow(/geheim/);
    },
  );

  it('names of virtual hosts and users are escaped', async () => {
    const { api, asked } = apiWith(() => json({ configure: '', write: '', read: '' }));
    await api.permissions('/a b', 'x/../y');
    expect(asked[0]!.url).toBe('http://ctl1:15672/api/permissions/%2Fa%20b/x%2F..%2Fy');
  });
});

describe('an answer', () => {
  const failing = (answer: () => Response | Promise<Response>): Promise<unknown> =>
    apiWith(answer)
      .api.queues('/')
      .catch((error: unknown) => error);

  it.each([
    [
      'refused',
      () => json({ error: 'not_authorised', reason: 'Not management user' }, { status: 401 }),
      'Not management user',
    ],
    ['not found', () => json({ error: 'Object Not Found' }, { status: 404 }), '404: Object Not Found'],
    ['not understood', () => new Response('<html>nginx</html>', { status: 502 }), '502: <html>nginx</html>'],
    ['not understood', () => new Response('<html>a login page</html>'), 'not answered with JSON: <html>'],
    ['not understood', () => json({ an: 'object' }), 'something else than its queues'],
    ['not understood', () => json(null), 'something else than its queues'],
    [
      'unreachable',
      () => Promise.reject(new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })),
      'ECONNREFUSED',
    ],
    ['unreachable', () => Promise.reject(new DOMException('too late', 'TimeoutError')), 'too late'],
  ])('is %s', async (problem, answer, text) => {
    const error = await failing(answer);
    expect(error).toMatchObject({ name: 'ManagementFailure', problem, message: expect.stringContaining(text) });
    expect(String(error)).not.toContain('geheim');
  });

  it('that is endless is given up', async () => {
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(8 * 1024 * 1024)) });
    expect(await failing(() => new Response(endless))).toMatchObject({ problem: 'too large' });
  });

  it('that breaks off is unreachable', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('socket hang up')) });
    expect(await failing(() => new Response(broken))).toMatchObject({ problem: 'unreachable' });
  });

  it('without numbers is one that is not known yet', async () => {
    const { api } = apiWith(() => json([{ name: 'a' }, { name: 'b', consumers: null, messages_ready: 'x' }, 7, null]));
    expect(await api.queues('/')).toMatchObject([
      { name: 'a', ready: null, consumers: null, publishRate: null, type: 'classic' },
      { name: 'b', ready: null, consumers: null },
    ]);
  });

  it('of alarms comes as 503 while there is one', async () => {
    const alarms = [{ node: 'rabbit@ctl1', resource: 'memory' }];
    const alarm = apiWith(() => json({ status: 'failed', alarms }, { status: 503 }));
    expect(await alarm.api.alarms()).toEqual(alarms);
    expect(await apiWith(() => json({ status: 'ok' })).api.alarms()).toEqual([]);
  });

  it('of permissions that are not there is undefined', async () => {
    const { api } = apiWith(() => json({ error: 'Object Not Found' }, { status: 404 }));
    expect(await api.permissions('/', 'nova')).toBeUndefined();
  });
});

it('switching the firehose repeats what the virtual host has', async () => {
  const { api, asked } = apiWith(() =>
    json({ description: 'ours', tags: ['a', 'b'], default_queue_type: 'quorum', tracing: false }),
  );
  await api.setTracing('/', true);
  const { url, init } = asked[1]!;
  expect({ url, method: init.method, body: JSON.parse(init.body as string) as unknown }).toEqual({
    url: 'http://ctl1:15672/api/vhosts/%2F',
    method: 'PUT',
    body: { description: 'ours', tags: 'a,b', default_queue_type: 'quorum', tracing: true },
  });
});
