import 'reflect-metadata';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { ClientOsloRpc, OsloRpcModule, RemoteError, ServerOsloRpc } from 'nestjs-oslo-messaging';
import { firstValueFrom } from 'rxjs';

const transportUrl = process.env.OSLO_TRANSPORT_URL;
if (!transportUrl)
  throw new Error('Python needs a real broker: set OSLO_TRANSPORT_URL=rabbit://user:password@host:5672/');

/** What Python calls. */
@Controller()
class ShopController {
  @MessagePattern('price')
  price(@Payload() { item }: { item: string }) {
    console.log(`Nest: Python asks for the price of ${item}`);
    return { item, amount: 12.5, currency: 'EUR' };
  }
}

@Module({ imports: [OsloRpcModule.forRoot()], controllers: [ShopController] })
class ShopModule {}

const shop = await NestFactory.createMicroservice<MicroserviceOptions>(ShopModule, {
  strategy: new ServerOsloRpc({ transportUrl, topic: 'shop', server: 'nest1' }),
  logger: ['error', 'warn'],
});
await shop.listen();

// A Python interpreter with oslo.messaging: `python3 -m venv venv && venv/bin/pip install oslo.messaging`.
const inventoryProgram = process.env.INVENTORY ?? new URL('inventory.py', import.meta.url).pathname;
const python = spawn(process.env.PYTHON ?? 'python3', [inventoryProgram, transportUrl], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const ended = once(python, 'exit').then(() => {
  throw new Error('Python ended before it served; PYTHON must name an interpreter that has oslo.messaging');
});
await Promise.race([once(python.stdout, 'data'), ended]);

// What calls Python.
const inventory = new ClientOsloRpc({ transportUrl, topic: 'inventory', timeout: 10 });
console.log('Python counts:', await firstValueFrom(inventory.send('count', { item: 'spoons' })));
console.log('Python orders:', await firstValueFrom(inventory.send('order', { item: 'spoons' })));
const failure: unknown = await firstValueFrom(inventory.send('count', { item: 'unicorns' })).catch((error) => error);
if (failure instanceof RemoteError) console.log('Python fails:', failure.excType, failure.args);

await inventory.close();
python.stdin.end();
await once(python, 'exit');
await shop.close();
