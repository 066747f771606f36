import type { ExchangeDeclaration, QueueDeclaration } from '../../wire/topology.js';

/** The queue arguments in which RabbitMQ insists on equality; others it ignores when a queue exists. */
const comparedArguments = [
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-expires',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-message-ttl',
  'x-overflow',
  'x-queue-type',
  'x-single-active-consumer',
];

/** Why an exchange cannot be declared again like that (AMQP 406); `undefined` if it can. */
export function exchangeMismatch(existing: ExchangeDeclaration, wanted: ExchangeDeclaration): string | undefined {
  return (
    difference('type', existing.type, wanted.type) ??
    difference('durable', existing.durable, wanted.durable) ??
    difference('auto_delete', existing.autoDelete, wanted.autoDelete)
  );
}

/** The same for a queue. */
export function queueMismatch(existing: QueueDeclaration, wanted: QueueDeclaration): string | undefined {
  const first =
    difference('durable', existing.durable, wanted.durable) ??
    difference('auto_delete', existing.autoDelete, wanted.autoDelete);
  if (first !== undefined) return first;
  for (const name of comparedArguments) {
    const differs = difference(name, existing.arguments[name], wanted.arguments[name]);
    if (differs !== undefined) return differs;
  }
  return undefined;
}

function difference(name: string, existing: unknown, wanted: unknown): string | undefined {
  if (existing === wanted) return undefined;
  return `inequivalent arg '${name}': received '${shown(wanted)}' but current is '${shown(existing)}'`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
