import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../errors/configuration.errors.js';
import { isRecord } from '../wire/json/is-record.js';

/** A bus under a name: one JSON file. */
export interface Context {
  readonly transportUrl?: string;
  readonly configFile?: string | readonly string[];
  /** Prints the transport URL. */
  readonly passwordCommand?: string;
  readonly exchange?: string;
  /** Of RabbitMQ's management API: `http://host:15672`. */
  readonly managementUrl?: string;
  readonly topics?: readonly string[];
  readonly readOnly?: boolean;
}

const OTHERS = 0o077;
const COMMAND_MS = 10_000;

export function contextFile(name: string, env: Readonly<Record<string, string | undefined>>): string {
  if (!/^[\w.-]+$/.test(name)) throw new ConfigurationError(`'${name}' is no name of a context`);
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return join(base, 'oslo-bus', 'contexts', `${name}.json`);
}

/** @throws ConfigurationError there is none, others can read it, or it is not understood */
export function readContext(name: string, env: Readonly<Record<string, string | undefined>>): Context {
  const file = contextFile(name, env);
  const text = readPrivate(file, name);
  let context: unknown;
  try {
    context = JSON.parse(text);
  } catch {
    throw new ConfigurationError(`The context file ${file} is not JSON`);
  }
  if (!isRecord(context)) throw new ConfigurationError(`The context file ${file} is no JSON object`);
  const { passwordCommand } = context;
  if (typeof passwordCommand !== 'string') return context;
  return { ...context, transportUrl: outputOf(passwordCommand, file) };
}

function readPrivate(file: string, name: string): string {
  let mode: number;
  try {
    ({ mode } = statSync(file));
  } catch {
    throw new ConfigurationError(`There is no context '${name}': ${file} is not there`);
  }
  if ((mode & OTHERS) === 0) return readFileSync(file, 'utf8');
  throw new ConfigurationError(`The context file ${file} can be read by others: chmod 600 ${file}`);
}

function outputOf(command: string, file: string): string {
  try {
    return execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8', timeout: COMMAND_MS }).trim();
  } catch {
    throw new ConfigurationError(`The passwordCommand of ${file} has failed`);
  }
}
