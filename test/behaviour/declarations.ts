import type { BindingDeclaration, ExchangeDeclaration, QueueDeclaration } from '../../lib/wire/topology.js';

export function queue(name: string, properties: Partial<QueueDeclaration> = {}): QueueDeclaration {
  return { kind: 'queue', name, durable: false, autoDelete: false, arguments: {}, ...properties };
}

export function exchange(name: string, properties: Partial<ExchangeDeclaration> = {}): ExchangeDeclaration {
  return { kind: 'exchange', name, type: 'topic', durable: false, autoDelete: false, ...properties };
}

export function binding(queueName: string, exchangeName: string, routingKey: string): BindingDeclaration {
  return { kind: 'binding', queue: queueName, exchange: exchangeName, routingKey };
}
