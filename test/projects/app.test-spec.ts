import type { INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { getOsloClientToken, OsloClient, RemoteError, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule } from './app.module.js';

describe('the volumes', () => {
  let app: INestMicroservice;
  let volumes: OsloClient;

  beforeAll(async () => {
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const strategy = new ServerOsloRpc({ transportUrl: 'memory://', topic: 'volumes' });
    app = testing.createNestMicroservice<MicroserviceOptions>({ strategy, logger: ['error'] });
    await app.listen();
    volumes = app.get<OsloClient>(getOsloClientToken('VOLUMES'));
  });
  afterAll(() => app.close());

  it('have sizes', async () => {
    expect(await volumes.call('size', { name: 'data' })).toBe(4);
  });

  it('have names', async () => {
    const refused = volumes.call('size', { name: '' });
    await expect(refused).rejects.toBeInstanceOf(RemoteError);
    await expect(refused).rejects.toMatchObject({ excType: 'ValueError' });
  });
});
