import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { expect, it, onTestFinished } from 'vitest';
import {
  getOsloClientToken,
  getOsloServerToken,
  OsloClient,
  OsloEndpoint,
  OsloMethod,
  OsloRpcModule,
  ServerOsloRpc,
} from '../../../lib/index.js';
import { moduleOf, newBusUrl } from './nest-apps.js';

const CELL1 = Symbol('cell1');

@OsloEndpoint()
class PingEndpoint {
  @OsloMethod()
  ping() {
    return 'pong';
  }
}

@OsloEndpoint({ transportId: CELL1 })
class CellEndpoint {
  @OsloMethod()
  ping() {
    return 'pong of cell1';
  }
}

const quiet = { logEvents: false, timeout: 3 };
const clients = OsloRpcModule.forFeature([{ name: 'API', topic: 'conductor' }]);

it('knows the bus of forRootAsync, and is the injected server', async () => {
  const options = {
    ...quiet,
    transportUrl: newBusUrl(),
    exchange: 'nova',
    serve: { topic: 'conductor', server: 'host1' },
  };
  const root = OsloRpcModule.forRootAsync({ useFactory: async () => options });
  const strategy = OsloRpcModule.strategy();
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(
    moduleOf({ imports: [root, clients], controllers: [PingEndpoint] }),
    { strategy, logger: false },
  );
  onTestFinished(() => app.close());
  await app.listen();
  expect(app.get(ServerOsloRpc, { strict: false })).toBe(strategy.server);
  expect(strategy.server.health).toMatchObject({ connected: true, consuming: true });
  const client = app.get<OsloClient>(getOsloClientToken('API'), { strict: false });
  expect(await client.prepare({ server: 'host1' }).call('ping')).toBe('pong');
});

it('serves a second bus, by its transport id', async () => {
  const imports = [
    OsloRpcModule.forRoot({ ...quiet, transportUrl: newBusUrl(), serve: { topic: 'conductor' } }),
    OsloRpcModule.forRoot({ ...quiet, transportUrl: newBusUrl(), serve: { topic: 'conductor' }, transportId: CELL1 }),
    clients,
    OsloRpcModule.forFeature([{ name: 'CELL', topic: 'conductor', transportId: CELL1 }]),
  ];
  const root = moduleOf({ imports, controllers: [PingEndpoint, CellEndpoint] });
  const app = await NestFactory.create(root, { logger: false });
  onTestFinished(() => app.close());
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(ServerOsloRpc) });
  app.connectMicroservice<MicroserviceOptions>({ strategy: OsloRpcModule.strategy({ transportId: CELL1 }) });
  await app.init();
  await app.startAllMicroservices();
  const call = (name: string) => app.get<OsloClient>(getOsloClientToken(name), { strict: false }).call('ping');
  expect(await Promise.all([call('API'), call('CELL')])).toEqual(['pong', 'pong of cell1']);
  expect(OsloRpcModule.strategy(app, { transportId: CELL1 })).toBe(
    app.get(getOsloServerToken(CELL1), { strict: false }),
  );
});

it('says that there is no module to ask', async () => {
  const root = moduleOf({ imports: [OsloRpcModule.forRoot()], controllers: [PingEndpoint] });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(root, {
    strategy: OsloRpcModule.strategy(),
    logger: false,
  });
  await expect(app.listen()).rejects.toThrow(/import OsloRpcModule\.forRoot\(\{ transportUrl/);
});
