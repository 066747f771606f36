// For what Nest 11 does not have; the other specs run on both.
import { Controller, StandardSchemaValidationPipe, UsePipes } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom, throwError } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type ClientOsloRpc, OsloEndpoint, OsloMethod } from '../../../lib/index.js';
import { rootModule, serve } from './nest-apps.js';

describe('with a Standard Schema', () => {
  const call = (client: ClientOsloRpc, method: string, args: object): Promise<unknown> =>
    lastValueFrom(client.send(method, args));
  const schema = z.object({ name: z.string(), gigabytes: z.number().int().min(1).default(10) });

  @Controller()
  @UsePipes(new StandardSchemaValidationPipe())
  class VolumeController {
    @MessagePattern('create')
    create(@Payload({ schema }) volume: z.infer<typeof schema>) {
      return volume;
    }

    @MessagePattern('rename')
    rename(@Payload('name', { schema: z.string().trim().min(1) }) name: string) {
      return name;
    }
  }

  it('parses all arguments, or one', async () => {
    const { client } = await serve(rootModule([VolumeController]));
    expect(await call(client, 'create', { name: 'data' })).toEqual({ name: 'data', gigabytes: 10 });
    expect(await call(client, 'rename', { name: ' new ' })).toBe('new');
  });

  it('tells callers what is wrong, and where', async () => {
    const { client } = await serve(rootModule([VolumeController]));
    await expect(call(client, 'create', { name: 1, gigabytes: 0 })).rejects.toMatchObject({
      module: 'builtins',
      excType: 'ValueError',
      args: [
        expect.stringContaining('gigabytes: '),
        { message: [expect.stringMatching(/^name: /), expect.stringMatching(/^gigabytes: /)] },
      ],
    });
  });
});

describe('hooks', () => {
  class HostNotFound extends Error {}

  @OsloEndpoint()
  class EchoEndpoint {
    @OsloMethod()
    echo(@Payload() args: object) {
      return args;
    }
  }

  it('of a client see its packets', async () => {
    const { client } = await serve(rootModule([EchoEndpoint]));
    const hook = vi.fn<(packet: unknown) => void>();
    client.setOnDispatchHook(hook);
    await lastValueFrom(client.send('echo', { a: 1 }));
    expect(hook).toHaveBeenCalledWith(expect.objectContaining({ pattern: 'echo', data: { a: 1 } }));
  });

  it('before requests keep the class of what they throw', async () => {
    const refuse = () => throwError(() => new HostNotFound('from afar'));
    const { client } = await serve(rootModule([EchoEndpoint]), {}, (app) => app.registerPreRequestHook(refuse));
    await expect(lastValueFrom(client.send('echo', {}))).rejects.toMatchObject({
      module: 'nestjs',
      excType: 'HostNotFound',
    });
  });
});
