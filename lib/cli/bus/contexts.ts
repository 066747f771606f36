import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { formatTransportUrl, parseTransportUrl } from '../../config/transport-url.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { isRecord } from '../../wire/json/is-record.js';

/** A bus under a name: one JSON file. */
export interface Context {
  readonly transportUrl?: string;
  readonly configFile?: string | readonly string[];
  /** Prints the password of `transportUrl`; where that is not given, the transport URL. */
  readonly passwordCommand?: string;
  readonly exchange?: string;
  /** Of RabbitMQ's management API: `http://host:15672`. */
  readonly managementUrl?: string;
  readonly topics?: readonly string[];
  readonly readOnly?: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const OTHERS = 0o077;
const LONGEST_BYTES = 64 * 1024;
const COMMAND_MS = 10_000;
/** No dash and no dot at the beginning: neither an option nor a hidden file. */
const NAME = /^[a-z0-9_][\w.-]{0,63}$/i;
const ENDING = '.json';

/** The contexts of a user: files below `$XDG_CONFIG_HOME/oslo-bus`, and the name of the one that is selected. */
export class ContextStore {
  private readonly home: string;

  constructor(env: Environment) {
    // A relative one is to be ignored, as the XDG specification has it.
    const given = env.XDG_CONFIG_HOME ?? '';
    this.home = join(isAbsolute(given) ? given : join(env.HOME || homedir(), '.config'), 'oslo-bus');
  }

  /** @throws ConfigurationError it cannot be the name of one */
  fileOf(name: string): string {
    if (NAME.test(name)) return join(this.directory, `${name}${ENDING}`);
    throw new ConfigurationError(
      `'${name}' is no name of a context: it may have letters, digits, '_', '-' and '.', and begins with none of the last two`,
    );
  }

  /** In the order of the alphabet. */
  names(): string[] {
    const files = withoutFile(() => readdirSync(this.directory)) ?? [];
    const names = files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
    return names.filter((name) => NAME.test(name)).toSorted();
  }

  /** @throws ConfigurationError there is none, others can read it, or it is not understood */
  read(name: string): Context {
    const file = this.fileOf(name);
    const text = withoutFile(() => readPrivate(file));
    if (text === undefined) throw new ConfigurationError(`There is no context '${name}': ${file} is not there`);
    return contextOf(text, file);
  }

  /** Nobody ever sees half a file, or one that others can read. @throws ConfigurationError */
  write(name: string, context: Context): 'replaced' | 'saved' {
    const file = this.fileOf(name);
    const text = `${JSON.stringify(context, null, 2)}\n`;
    contextOf(text, file);
    const before = withoutFile(() => statSync(file));
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    writeWhole(file, text);
    return before ? 'replaced' : 'saved';
  }

  /** One that is selected is selected no more. @throws ConfigurationError there is none */
  remove(name: string): void {
    const file = this.fileOf(name);
    if (!this.names().includes(name)) {
      throw new ConfigurationError(`There is no context '${name}': ${file} is not there`);
    }
    if (this.selected() === name) this.select(undefined);
    rmSync(file);
  }

  /** The name of the one that counts where nothing else says which bus is meant. */
  selected(): string | undefined {
    const text = withoutFile(() => readFileSync(this.selectedFile, 'utf8'))?.trim();
    return text ? text : undefined;
  }

  /** Absent: none. */
  select(name: string | undefined): void {
    if (name === undefined) rmSync(this.selectedFile, { force: true });
    else writeWhole(this.selectedFile, `${name}\n`);
  }

  private get directory(): string {
    return join(this.home, 'contexts');
  }

  private get selectedFile(): string {
    return join(this.home, 'selected-context');
  }
}

/**
 * The transport URL that a context means by itself; absent where its configuration files say it.
 *
 * @throws ConfigurationError its command has failed, or printed what does not fit
 */
export function urlOfContext({ transportUrl, passwordCommand }: Context, file: string): string | undefined {
  if (passwordCommand === undefined) return transportUrl;
  const printed = outputOf(passwordCommand, file);
  return transportUrl === undefined ? printed : withPassword(transportUrl, printed, file);
}

function withPassword(transportUrl: string, password: string, file: string): string {
  const url = parseTransportUrl(transportUrl);
  const isMissing = (host: (typeof url.hosts)[number]): boolean =>
    host.username !== undefined && host.password === undefined;
  if (!url.hosts.some(isMissing)) {
    throw new ConfigurationError(
      `The transportUrl of ${file} needs a user without a password: passwordCommand prints it`,
    );
  }
  return formatTransportUrl({
    ...url,
    hosts: url.hosts.map((host) => (isMissing(host) ? { ...host, password } : host)),
  });
}

// ---- what may stand in the file -------------------------------------------------------------------

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText);
const isHttpUrl = (value: unknown): boolean => isText(value) && /^https?:\/\//i.test(value) && URL.canParse(value);

const RULES: Readonly<Record<keyof Context, readonly [fits: (value: unknown) => boolean, what: string]>> = {
  transportUrl: [isText, 'a transport URL'],
  configFile: [(value) => isText(value) || isTexts(value), 'a path, or a list of them'],
  passwordCommand: [isText, 'a command'],
  exchange: [isText, 'a name'],
  managementUrl: [isHttpUrl, 'a URL as http://host:15672'],
  topics: [isTexts, 'a list of names'],
  readOnly: [(value) => typeof value === 'boolean', 'true or false'],
};

function contextOf(text: string, file: string): Context {
  let context: unknown;
  try {
    context = JSON.parse(text);
  } catch {
    throw new ConfigurationError(`The context file ${file} is not JSON`);
  }
  if (!isRecord(context)) throw new ConfigurationError(`The context file ${file} is no JSON object`);
  for (const [key, value] of Object.entries(context)) {
    const rule = Object.hasOwn(RULES, key) ? RULES[key as keyof Context] : undefined;
    // One that is misspelt must not pass: a bus might not be read-only.
    if (!rule) throw new ConfigurationError(`The context file ${file} has '${key}'; known are ${KNOWN}`);
    if (!rule[0](value)) throw new ConfigurationError(`'${key}' of the context file ${file} must be ${rule[1]}`);
  }
  return named(context, file);
}

const KNOWN = Object.keys(RULES).join(', ');

function named(context: Context, file: string): Context {
  const { transportUrl, configFile, passwordCommand } = context;
  if (transportUrl !== undefined) parseTransportUrl(transportUrl);
  const byFile = configFile !== undefined;
  const byUrl = transportUrl !== undefined || passwordCommand !== undefined;
  if (byFile !== byUrl) return context;
  const what = byFile ? 'says twice which bus it is' : 'does not say which bus it is';
  throw new ConfigurationError(`The context file ${file} ${what}: one of configFile, transportUrl, passwordCommand`);
}

// ---- files and commands ---------------------------------------------------------------------------

/** Undefined where there is no such file. */
function withoutFile<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

function readPrivate(file: string): string {
  const stats = statSync(file);
  if (!stats.isFile() || stats.size > LONGEST_BYTES) {
    throw new ConfigurationError(`The context file ${file} is no file of up to ${LONGEST_BYTES} bytes`);
  }
  if ((stats.mode & OTHERS) === 0) return readFileSync(file, 'utf8');
  throw new ConfigurationError(`The context file ${file} can be read by others: chmod 600 ${file}`);
}

function writeWhole(file: string, text: string): void {
  const unfinished = `${file}.${randomUUID()}`;
  try {
    writeFileSync(unfinished, text, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

function outputOf(command: string, file: string): string {
  let printed: string;
  try {
    printed = execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8', timeout: COMMAND_MS }).trim();
  } catch {
    throw new ConfigurationError(`The passwordCommand of ${file} has failed`);
  }
  if (printed !== '') return printed;
  throw new ConfigurationError(`The passwordCommand of ${file} has printed nothing`);
}
