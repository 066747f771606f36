import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions } from '@nestjs/microservices';
import { expect, it, onTestFinished } from 'vitest';
import { ANY_METHOD, explicitAccessPolicy, legacyAccessPolicy, type ServerOsloRpcOptions } from '../../../lib/index.js';
import { newBusUrl, newServer, rootModule } from './nest-apps.js';
import { newRecordingLogger } from './notification-apps.js';

@Controller()
class ConductorController {
  @MessagePattern({ namespace: 'baseapi', method: 'ping', version: '1.1' })
  ping() {}

  @MessagePattern({ namespace: 'baseapi', method: '_purge' })
  purge() {}

  @MessagePattern({ method: '_hidden' })
  hidden() {}

  @MessagePattern({ topic: 'scheduler', method: ANY_METHOD })
  any() {}
}

/** What the log says to be exposed. */
async function tableOf(options: ServerOsloRpcOptions = {}): Promise<string[]> {
  const logger = newRecordingLogger();
  const strategy = newServer({ transportUrl: newBusUrl(), exchange: 'nova', server: 'host1', ...options });
  const root = rootModule([ConductorController]);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(root, { strategy, logger });
  onTestFinished(() => app.close());
  await app.listen();
  const tables = logger.log.mock.calls.map(([line]) => String(line)).filter((line) => line.startsWith('Exposes'));
  return tables.flatMap((table) => table.split('\n')).map((line) => line.trim());
}

it('the log shows what is served, and what the access policy denies', async () => {
  expect(await tableOf()).toEqual([
    "Exposes as server 'host1':",
    'nova/conductor  baseapi         1.1          ping, _purge (denied)',
    'nova/conductor  (no namespace)  1.0          _hidden (denied)',
    'nova/scheduler  any namespace   any version  any other method',
  ]);
});

it.each([{ accessPolicy: legacyAccessPolicy }, { accessPolicy: explicitAccessPolicy }])(
  "goes by the server's own policy",
  async (options) => {
    const table = (await tableOf(options)).join();
    expect(table).toContain('ping, _purge');
    expect(table).not.toContain('denied');
  },
);
