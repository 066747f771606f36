// What the servers of Nest's transports serve.
import 'reflect-metadata';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { decorate, decorateParameter, method } from './decorate.mjs';

export class EchoController {
  echo(payload) {
    return payload.data;
  }

  note() {}
}
decorate(EchoController, Controller());
method(EchoController, 'echo', MessagePattern('echo'));
method(EchoController, 'note', EventPattern('note'));
for (const name of ['echo', 'note']) decorateParameter(EchoController, name, 0, Payload());
