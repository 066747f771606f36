import { setTimeout as delay } from 'node:timers/promises';
import {
  ForbiddenException,
  type INestMicroservice,
  Module,
  NotFoundException,
  UseGuards,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { IsInt, IsString, Min } from 'class-validator';
import { from } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OsloEndpoint, OsloMethod, OsloRpcContext, OsloRpcModule, ServerOsloRpc } from '../../lib/index.js';
import { useVhost } from '../support/rabbit.js';
import { type PythonCallOptions, pythonVersions, usePythonPeer } from './support/python-peer.js';

class HarnessHostNotFound extends Error {
  readonly args: unknown[];
  constructor(host: string) {
    super(`no host ${host}`);
    this.args = [host];
  }
}

class CreateVolume {
  @IsString()
  name!: string;
  @IsInt()
  @Min(1)
  gigabytes!: number;
}

@OsloEndpoint({ namespace: 'volume', version: '1.4' })
class VolumeEndpoint {
  @OsloMethod()
  whoami(@Payload('greeting') greeting: string, @Ctx() { requestContext, version, isCall }: OsloRpcContext) {
    return [greeting, requestContext.user_id, version, isCall];
  }
  @OsloMethod({ name: 'stream_values' })
  streamValues() {
    return from([1, 2, 3]);
  }
  @OsloMethod()
  async later() {
    await delay(10);
  }
  @OsloMethod()
  @UsePipes(new ValidationPipe())
  create(@Payload() { name }: CreateVolume) {
    return name;
  }
  @OsloMethod()
  @UseGuards({
    canActivate: () => {
      throw new ForbiddenException('admins only');
    },
  })
  forbidden() {}
  @OsloMethod()
  @UseGuards({ canActivate: () => false })
  refused() {}
  @OsloMethod()
  not_found() {
    throw new NotFoundException('no such volume');
  }
  @OsloMethod()
  own_class() {
    throw new HarnessHostNotFound('n7');
  }
}

@OsloEndpoint({ namespace: 'volume', version: '2.0' })
class NextEndpoint {
  @OsloMethod()
  whoami() {
    return 'two';
  }
}

@Module({ imports: [OsloRpcModule.forRoot()], controllers: [VolumeEndpoint, NextEndpoint] })
class VolumeModule {}

describe.each(pythonVersions)('oslo.messaging %s calls Nest', (version) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version, url: () => vhost.url });
  const target = { exchange: 'cinder', topic: 'volume', namespace: 'volume', version: '1.0' };
  let app: INestMicroservice;

  beforeAll(async () => {
    const strategy = new ServerOsloRpc({
      transportUrl: vhost.url,
      exchange: 'cinder',
      topic: 'volume',
      pythonExceptions: [[HarnessHostNotFound, 'harness_errors.HostNotFound']],
    });
    app = await NestFactory.createMicroservice<MicroserviceOptions>(VolumeModule, { strategy, logger: false });
    await app.listen();
  });
  afterAll(() => app?.close());

  const call = (method: string, args = {}, options: Partial<PythonCallOptions> = {}): Promise<unknown> =>
    python.call(method, args, { target, ...options });
  const failure = (method: string, args = {}): Promise<object> =>
    python.failure(method, args, { target, allowed_remote_exmods: ['harness_errors'] });

  it('and is answered', async () => {
    const options = { context: { user_id: 'u1' } };
    expect(await call('whoami', { greeting: 'ahoj' }, options)).toEqual(['ahoj', 'u1', '1.0', true]);
    expect(await call('stream_values')).toBe(3);
    expect(await call('later')).toBeNull();
    expect(await call('whoami', {}, { prepare: { version: '2.0' } })).toBe('two');
    expect(await call('create', { name: 'data', gigabytes: 1 })).toBe('data');
  });

  // Python puts the text and the traceback in place of the first argument.
  it.each<[string, Record<string, unknown>, object]>([
    ['forbidden', {}, { class: 'PermissionError', args: [expect.stringMatching(/^admins only/)] }],
    ['refused', {}, { class: 'PermissionError', args: [expect.stringMatching(/^Forbidden resource/)] }],
    ['not_found', {}, { class: 'LookupError', args: [expect.stringMatching(/^no such volume/)] }],
    [
      'create',
      { gigabytes: 0 },
      {
        class: 'ValueError',
        args: [
          expect.stringMatching(/^name must be a string; gigabytes must not be less than 1/),
          expect.objectContaining({ message: ['name must be a string', 'gigabytes must not be less than 1'] }),
        ],
      },
    ],
    ['own_class', {}, { class: 'HostNotFound_Remote', str: expect.stringMatching(/^no host n7/) }],
  ])('%s raises a Python class', async (method, args, expected) => {
    expect(await failure(method, args)).toMatchObject(expected);
  });
});
