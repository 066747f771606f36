import { MalformedMessage } from '../../errors/wire.errors.js';
import { isRecord } from '../../wire/json/is-record.js';

/**
 * The keyword arguments that a caller gave.
 *
 * @throws MalformedMessage for what is no object: oslo.messaging has no positional arguments
 */
export function keywordArguments(given: unknown): Readonly<Record<string, unknown>> {
  if (isKeywords(given)) return given;
  if (given === undefined || given === null || given === '') return {};
  const kind = Array.isArray(given) ? 'an array' : typeof given === 'object' ? given.constructor.name : typeof given;
  const reason = `oslo.messaging takes keyword arguments: an object like { name: value }, not ${kind}`;
  throw new MalformedMessage(reason, { fault: 'caller' });
}

function isKeywords(given: unknown): given is Readonly<Record<string, unknown>> {
  if (!isRecord(given) || ArrayBuffer.isView(given)) return false;
  return !(given instanceof Date || given instanceof Map || given instanceof Set);
}

/** @throws MalformedMessage */
export function requireMethodName(method: unknown): void {
  if (typeof method === 'string' && method !== '') return;
  throw new MalformedMessage(`The name of a method must be a string, not ${typeof method}`, { fault: 'caller' });
}
