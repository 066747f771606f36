import { Controller, ParseIntPipe, type Type, UsePipes, ValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Type as Nested } from 'class-transformer';
import { IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type ClientOsloRpc, OsloRpcContext } from '../../../lib/index.js';
import { rootModule, serve, startHybrid } from './nest-apps.js';

class Size {
  @IsInt()
  @Min(1)
  gigabytes!: number;
}

class CreateVolume {
  @IsString()
  name!: string;

  @ValidateNested()
  @Nested(() => Size)
  size!: Size;

  @IsOptional()
  @IsString()
  host?: string;
}

const call = (client: ClientOsloRpc, method: string, args: object): Promise<unknown> =>
  lastValueFrom(client.send(method, args));

describe('with class-validator', () => {
  const volumes = (...decorators: MethodDecorator[]): Type => {
    @Controller()
    class VolumeController {
      @MessagePattern('create')
      create(@Payload() volume: CreateVolume, @Ctx() context: OsloRpcContext) {
        return [volume instanceof CreateVolume, volume, Object.keys(context.args)];
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(VolumeController.prototype, 'create')!;
    for (const decorate of decorators) decorate(VolumeController.prototype, 'create', descriptor);
    return VolumeController;
  };
  const pipe = (): ValidationPipe => new ValidationPipe({ transform: true, whitelist: true });
  const valid = { name: 'data', size: { gigabytes: 3 }, unknown: true };

  it.each<[string, () => Promise<ClientOsloRpc>]>([
    ['of a method', async () => (await serve(rootModule([volumes(UsePipes(pipe()))]))).client],
    [
      'of a controller',
      async () => {
        const controller = volumes();
        UsePipes(pipe())(controller);
        return (await serve(rootModule([controller]))).client;
      },
    ],
    [
      'of useGlobalPipes',
      async () => (await serve(rootModule([volumes()]), {}, (app) => app.useGlobalPipes(pipe()))).client,
    ],
    [
      'of APP_PIPE',
      async () =>
        (await serve(rootModule([volumes()], { providers: [{ provide: APP_PIPE, useFactory: pipe }] }))).client,
    ],
    [
      'inherited by a hybrid application',
      async () => {
        const root = rootModule([volumes()], { providers: [{ provide: APP_PIPE, useFactory: pipe }] });
        return (await startHybrid(root, { inheritAppConfig: true })).client;
      },
    ],
  ])('a ValidationPipe %s transforms and validates', async (_name, start) => {
    const client = await start();
    expect(await call(client, 'create', valid)).toEqual([
      true,
      { name: 'data', size: { gigabytes: 3 } },
      ['name', 'size', 'unknown'],
    ]);
    const text = 'name must be a string; size.gigabytes must not be less than 1';
    await expect(call(client, 'create', { size: { gigabytes: 0 } })).rejects.toMatchObject({
      module: 'builtins',
      excType: 'ValueError',
      remoteMessage: text,
      args: [text, { message: text.split('; ') }],
    });
  });

  it('its exceptionFactory decides what callers get', async () => {
    const custom = new ValidationPipe({ exceptionFactory: (errors) => new RpcException(`${errors.length} wrong`) });
    const { client } = await serve(rootModule([volumes(UsePipes(custom))]));
    await expect(call(client, 'create', {})).rejects.toMatchObject({ remoteMessage: '1 wrong' });
  });
});

describe('pipes of one argument', () => {
  @Controller()
  class CountController {
    @MessagePattern('count')
    count(@Payload('n', ParseIntPipe) n: number, @Payload('absent') absent: unknown, @Payload() all: object) {
      return [n, absent ?? null, all];
    }
  }

  it('see that argument, and no other', async () => {
    const { client } = await serve(rootModule([CountController]));
    expect(await call(client, 'count', { n: '42', other: 1 })).toEqual([42, null, { n: '42', other: 1 }]);
    await expect(call(client, 'count', { n: 'many' })).rejects.toMatchObject({
      excType: 'ValueError',
      remoteMessage: 'Validation failed (numeric string is expected)',
    });
  });
});
