// @golevelup/nestjs-rabbitmq in its Nest, with the one option that makes it fast.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AmqpConnection, RabbitMQModule, RabbitRPC, RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { decorate, method } from '../contenders/decorate.mjs';
import { counter } from '../contenders/oslo-core.mjs';
import { echo, note } from '../contenders/work.mjs';

const exchange = 'bench_golevelup';
/** Of this library and of Python it is the default. */
const TIMEOUT_MS = Number(process.env.OSLO_BENCH_TIMEOUT ?? 60) * 1_000;
const queueOptions = { durable: false };

const moduleOf = (url) =>
  RabbitMQModule.forRoot({
    uri: url.replace('rabbit://', 'amqp://'),
    exchanges: [{ name: exchange, type: 'topic', options: { durable: false } }],
    queues: [{ name: 'bench_golevelup_info', exchange, routingKey: 'info', options: queueOptions }],
    enableControllerDiscovery: false,
    prefetchCount: 256,
    connectionInitOptions: { wait: true },
    connectionManagerOptions: { connectionOptions: { noDelay: true } },
  });

async function start(url, ...providers) {
  class BenchModule {}
  decorate(BenchModule, Module({ imports: [moduleOf(url)], providers }));
  return NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
}

class Echo {
  echo({ data }) {
    return echo(data);
  }

  note({ data }) {
    note(data);
  }
}
method(Echo, 'echo', RabbitRPC({ exchange, routingKey: 'echo', queue: 'bench_golevelup_echo', queueOptions }));
method(Echo, 'note', RabbitSubscribe({ exchange, routingKey: 'note', queue: 'bench_golevelup_note', queueOptions }));

export async function serve(url) {
  await start(url, Echo);
  return {
    async listen(count) {
      const told = counter(count);
      // One application of a process alone finds its handlers, else.
      RabbitMQModule.bootstrapped = false;
      class Listener {
        onInfo() {
          told.one();
        }
      }
      const queue = 'bench_golevelup_info';
      method(Listener, 'onInfo', RabbitSubscribe({ exchange, routingKey: 'info', queue, queueOptions }));
      const listening = await start(url, Listener);
      const result = await told.all;
      await listening.close();
      return result;
    },
  };
}

export async function connect(url) {
  const app = await start(url);
  const connection = app.get(AmqpConnection);
  return {
    call: (payload) => connection.request({ exchange, routingKey: 'echo', payload, timeout: TIMEOUT_MS }),
    cast: (payload) => connection.publish(exchange, 'note', payload),
    notify: (payload) => connection.publish(exchange, 'info', payload, { persistent: true }),
  };
}
