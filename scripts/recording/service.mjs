// Of the recording: a service in Nest whose one method takes its time.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { OsloEndpoint, OsloMethod, OsloRpcModule, ServerOsloRpc } from 'nestjs-oslo-messaging';

class ImageEndpoint {
  async resize(image) {
    console.log(`resizing ${image}`);
    await pause(4_000);
    console.log(`${image} is resized`);
    return { image, width: 640 };
  }
}
// As `@OsloEndpoint() class ImageEndpoint { @OsloMethod() async resize(@Payload('image') image) { … } }`.
const { prototype } = ImageEndpoint;
Payload('image')(prototype, 'resize', 0);
OsloMethod()(prototype, 'resize', Object.getOwnPropertyDescriptor(prototype, 'resize'));
OsloEndpoint()(ImageEndpoint);
class AppModule {}
Module({ imports: [OsloRpcModule.forRoot()], controllers: [ImageEndpoint] })(AppModule);

const strategy = new ServerOsloRpc({
  transportUrl: process.argv[2],
  topic: 'images',
  server: 'nest1',
  logEvents: false,
});
let state;
// There are two connections, and both go the same way.
strategy.on('connection-changed', ({ to }) => {
  if (to === state || !['connected', 'disconnected'].includes(to)) return;
  state = to;
  console.log(to);
});
const app = await NestFactory.createMicroservice(AppModule, { strategy, logger: false });
app.enableShutdownHooks();
await app.listen();
console.log('serving the topic images');
