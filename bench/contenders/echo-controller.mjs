// What the servers of Nest's transports serve.
import 'reflect-metadata';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { decorate, decorateParameter, method } from './decorate.mjs';
import { echo, note } from './work.mjs';

export class EchoController {
  echo(payload) {
    return echo(payload.data);
  }

  note(payload) {
    note(payload.data);
  }
}
decorate(EchoController, Controller());
method(EchoController, 'echo', MessagePattern('echo'));
method(EchoController, 'note', EventPattern('note'));
for (const name of ['echo', 'note']) decorateParameter(EchoController, name, 0, Payload());
