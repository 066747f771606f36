import { setTimeout as delayed } from 'node:timers/promises';
import { NoSuchMethod, RemoteError, UnsupportedVersion } from '../errors/rpc.errors.js';
import { Glob } from '../notify/filter/glob.js';
import { isPythonClass } from '../rpc/exceptions/remote-exceptions.js';
import type { IncomingRequest } from '../rpc/server/incoming-request.js';
import { isRecord } from '../wire/json/is-record.js';
import { parseJson, stringifyJson } from '../wire/json/json.js';
import { isVersionCompatible } from '../wire/rpc/api-version.js';
import { UsageError } from './exit-codes.js';
import { duration, jsonObject, jsonText } from './option-values.js';
import { runShell } from './shell-command.js';
import { SILENT_METHOD } from './bus/silent-ping.js';

/** How requests are answered, as the options have it. */
export interface StandInOptions {
  readonly namespace?: string;
  readonly version?: string;
  readonly reply?: string;
  readonly exec?: string;
  readonly fail?: string;
  readonly echo?: boolean;
  readonly routes?: string;
  /** Milliseconds. */
  readonly delay?: number;
  readonly methods?: string;
}

/** What of a request an answer is made of. */
export type AskedOf = Pick<
  IncomingRequest,
  'args' | 'isCall' | 'isFanout' | 'method' | 'namespace' | 'requestContext' | 'version'
>;

/** Resolves to the result; rejects with what goes to the caller. */
type Answer = (request: AskedOf, signal: AbortSignal) => unknown;

interface Route {
  readonly methods: Glob;
  readonly answer: Answer;
  readonly delayMs: number;
}

const WAYS = ['reply', 'exec', 'fail', 'echo'] as const;
/** Python's default for the time that a caller waits. */
const EXEC_MS = 60_000;

/** A server that answers as it was told, whatever it is asked. */
export class StandIn {
  private readonly routes: readonly Route[];

  /** @throws UsageError no way to answer, or several, or one that makes no sense */
  constructor(private readonly options: StandInOptions) {
    const { reply, exec, fail, echo, routes, delay = 0, methods = '*' } = options;
    const given = { ...(reply !== undefined && { reply: jsonText(reply, '--reply') }), exec, fail, echo };
    const named = routes === undefined ? [] : routesIn(jsonObject(`@${routes}`, '--routes'), delay);
    const others = WAYS.some((way) => way in given && given[way] !== undefined)
      ? [{ methods: new Glob(methods), answer: answerOf(given, '--reply, --exec, --fail, --echo'), delayMs: delay }]
      : [];
    this.routes = [...named, ...others];
    if (this.routes.length > 0) return;
    throw new UsageError('say how to answer: --reply, --exec, --fail, --echo or --routes');
  }

  /**
   * The result of a request; rejects with what its caller is told.
   *
   * @throws UnsupportedVersion, NoSuchMethod as a server would, that serves no more than it was told
   */
  async answer(request: AskedOf, signal: AbortSignal): Promise<unknown> {
    const { method } = request;
    this.requireServed(request);
    const names = request.namespace === null ? [method] : [`${request.namespace}.${method}`, method];
    const route = this.routes.find(({ methods }) => names.some((name) => methods.matches(name)));
    // Who pings wants to run nothing.
    if (!route || method === SILENT_METHOD) throw new NoSuchMethod(method);
    if (route.delayMs > 0) await delayed(route.delayMs, undefined, { signal });
    return route.answer(request, signal);
  }

  private requireServed({ method, namespace, version }: AskedOf): void {
    const { options } = this;
    const isOther = options.namespace !== undefined && namespace !== options.namespace;
    if (!isOther && isVersionCompatible(version, options.version)) return;
    throw new UnsupportedVersion(version, method);
  }
}

/** `{ "ping": { "reply": "pong" }, "baseapi.*": { "fail": "builtins.ValueError:no", "delay": "2s" } }` */
function routesIn(routes: Record<string, unknown>, delay: number): Route[] {
  return Object.entries(routes).map(([pattern, route]) => {
    const where = `the route of '${pattern}'`;
    if (!isRecord(route)) throw new UsageError(`${where} must be an object`);
    const unknown = Object.keys(route).find((key) => key !== 'delay' && !WAYS.includes(key as 'echo'));
    if (unknown !== undefined)
      throw new UsageError(`${where} may have reply, exec, fail, echo, delay, and not '${unknown}'`);
    const delayMs = route.delay === undefined ? delay : duration(textOf(route.delay, where));
    return { methods: new Glob(pattern), answer: answerOf(route, where), delayMs };
  });
}

type Ways = Readonly<Partial<Record<(typeof WAYS)[number], unknown>>>;

function answerOf(ways: Ways, where: string): Answer {
  const given = WAYS.filter((way) => way in ways && ways[way] !== undefined);
  if (given.length !== 1) throw new UsageError(`${where}: one of reply, exec, fail, echo is needed, and only one`);
  const { reply, exec, fail, echo } = ways;
  switch (given[0]) {
    case 'reply':
      return () => reply;
    case 'exec':
      return execAnswer(textOf(exec, where));
    case 'fail':
      return failAnswer(textOf(fail, where));
    default:
      if (echo !== true) throw new UsageError(`${where}: echo must be true`);
      return ({ args }) => args;
  }
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new UsageError(`${where}: exec, fail and delay take a text`);
}

/** `nova.exception.HostNotFound:no such host`; a class without a module is one of Python's own. */
function failAnswer(text: string): Answer {
  const [, name = '', message = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  const path = name.includes('.') ? name : `builtins.${name}`;
  if (!isPythonClass(path)) throw new UsageError(`'${text}' is not like module.Class:message`);
  const dot = path.lastIndexOf('.');
  const [module, excType] = [path.slice(0, dot), path.slice(dot + 1)];
  return () => {
    throw new RemoteError({ module, excType, remoteMessage: message, args: message === '' ? [] : [message] });
  };
}

function execAnswer(command: string): Answer {
  return async ({ method, namespace, version, args, requestContext: context, isCall, isFanout }, signal) => {
    const asked = { method, namespace, version, args, context, kind: isFanout ? 'fanout' : isCall ? 'call' : 'cast' };
    const { exitCode, out, err } = await runShell(command, stringifyJson(asked), { timeoutMs: EXEC_MS, signal });
    if (exitCode === 0) return resultOf(out);
    throw new Error(lastLineOf(err) ?? `the command has ended with ${exitCode ?? 'a signal'}`);
  };
}

/** JSON, or else a text; nothing is null. */
function resultOf(out: string): unknown {
  const text = out.trimEnd();
  if (text === '') return null;
  try {
    return parseJson(text, 'exact');
  } catch {
    return text;
  }
}

function lastLineOf(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '');
}
