import {
  Controller,
  type DynamicModule,
  Get,
  Header,
  HttpCode,
  HttpException,
  type INestApplication,
  Param,
  Post,
  Res,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  HTTP_NOTIFICATION_OPTIONS,
  HttpNotificationInterceptor,
  type HttpNotificationOptions,
  NotificationModule,
  type NotificationModuleOptions,
  Notifier,
  runWithRequestContext,
} from '../../../lib/index.js';
import { moduleOf } from './nest-apps.js';

@Controller()
class Servers {
  @Get('servers/:id')
  @Header('set-cookie', 'session=1')
  @Header('x-openstack-request-id', 'req-1')
  show(@Param('id') id: string) {
    return { id };
  }

  @Post('servers')
  @HttpCode(202)
  create() {
    throw new HttpException('full', 507);
  }

  @Get('broken')
  broken(@Res() response: ServerResponse) {
    response.destroy();
  }
}

async function start(options: HttpNotificationOptions = {}, notifications: NotificationModuleOptions = {}) {
  const module: DynamicModule = {
    module: moduleOf({}),
    imports: [NotificationModule.forRoot({ driver: 'test', logEvents: false, ...notifications })],
    controllers: [Servers],
    providers: [
      { provide: APP_INTERCEPTOR, useClass: HttpNotificationInterceptor },
      { provide: HTTP_NOTIFICATION_OPTIONS, useValue: options },
    ],
  };
  const app: INestApplication = await NestFactory.create(module, { logger: false });
  onTestFinished(() => app.close());
  app.use((_request: unknown, _response: unknown, next: () => void) => runWithRequestContext({ user: 'u' }, next));
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), log: app.get(Notifier).testLog };
}

it('tells of a request and of its response, without what authenticates', async () => {
  const { url, log } = await start();
  const secret = ['x-auth-token', 'x-service-token', 'authorization', 'cookie', 'x-api-key'];
  const headers = Object.fromEntries(secret.map((name) => [name, 'hush']));
  const response = await fetch(`${url}/servers/a%20b?all=1&token=hush`, {
    headers: { ...headers, referer: `${url}/?token=hush`, 'x-custom': 'kept', 'content-type': 'application/json' },
  });
  expect(await response.json()).toEqual({ id: 'a b' });
  await vi.waitFor(() => expect(log.notifications).toHaveLength(2));
  const [request, end] = log.notifications;
  expect(request).toMatchObject({
    priority: 'info',
    eventType: 'http.request',
    context: { user: 'u' },
    payload: {
      request: {
        REQUEST_METHOD: 'GET',
        PATH_INFO: '/servers/a b',
        QUERY_STRING: 'all=1&token=***',
        SERVER_PROTOCOL: 'HTTP/1.1',
        REMOTE_ADDR: expect.stringContaining('127.0.0.1'),
        CONTENT_TYPE: 'application/json',
        HTTP_X_CUSTOM: 'kept',
        HTTP_X_SERVICE_NAME: new URL(url).host,
      },
    },
  });
  expect(end).toMatchObject({
    priority: 'info',
    eventType: 'http.response',
    context: { user: 'u' },
    payload: {
      request: { REQUEST_METHOD: 'GET' },
      response: { status: '200 OK', headers: { 'x-openstack-request-id': 'req-1' } },
    },
  });
  expect(end!.payload).not.toHaveProperty('exception');
  expect(JSON.stringify(log.notifications)).not.toMatch(/hush|session/);
});

it('tells of what was thrown, and of the answer to it', async () => {
  const { url, log } = await start({ serviceName: 'compute' });
  expect((await fetch(`${url}/servers`, { method: 'POST' })).status).toBe(507);
  await vi.waitFor(() => expect(log.notifications).toHaveLength(2));
  expect(log.notifications[1]).toMatchObject({
    payload: {
      request: { HTTP_X_SERVICE_NAME: 'compute' },
      response: { status: '507 Insufficient Storage' },
      exception: {
        value: 'HttpException: full',
        traceback: expect.arrayContaining([expect.stringContaining('create')]),
      },
    },
  });
});

it('tells of a response that never was', async () => {
  const { url, log } = await start();
  await expect(fetch(`${url}/broken`)).rejects.toThrow(/fetch failed/);
  await vi.waitFor(() => expect(log.notifications).toHaveLength(2));
  expect(log.notifications[1]!.payload).not.toHaveProperty('response');
});

it('leaves out the methods that it is to ignore', async () => {
  const { url, log } = await start({ ignoreMethods: [' get '] });
  expect((await fetch(`${url}/servers/1`)).status).toBe(200);
  await fetch(`${url}/servers`, { method: 'POST' });
  await vi.waitFor(() => expect(log.notifications).toHaveLength(2));
  expect(log.notifications[0]).toMatchObject({ payload: { request: { REQUEST_METHOD: 'POST' } } });
});

it('harms no request', async () => {
  const notify = vi.fn<() => void>(() => {
    throw new Error('down');
  });
  const { url } = await start({}, { driver: { notify } });
  expect((await fetch(`${url}/servers/1`)).status).toBe(200);
  await vi.waitFor(() => expect(notify).toHaveBeenCalledTimes(2));
});
