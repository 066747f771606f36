import {
  type CanActivate,
  Catch,
  Controller,
  IntrinsicException,
  type LoggerService,
  NotFoundException,
  ServiceUnavailableException,
  UnauthorizedException,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, type MicroserviceOptions, RpcException } from '@nestjs/microservices';
import { lastValueFrom, of, Subject, throwError } from 'rxjs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ExpectedExceptions, OsloEndpoint, OsloMethod } from '../../../lib/index.js';
import { eventsOf, newBusUrl, newClient, newServer, rootModule } from './nest-apps.js';

class HostNotFound extends Error {}

@Catch(HostNotFound)
class RecoveringFilter {
  catch() {
    return of('recovered');
  }
}

class ClosedGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

class AskingGuard implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException('no token');
  }
}

class RpcGuard implements CanActivate {
  canActivate(): boolean {
    throw new RpcException('no token');
  }
}

/** Fails in the name of no request, as what a socket or another request drives does. */
const elsewhere = new Subject<never>();

@OsloEndpoint()
class FailingEndpoint {
  @OsloMethod()
  plain() {
    throw new HostNotFound('no host1');
  }

  @OsloMethod()
  text() {
    return throwError(() => 'said so');
  }

  @OsloMethod()
  rpc_exception() {
    throw new RpcException('said so');
  }

  @OsloMethod()
  intrinsic() {
    throw new IntrinsicException('nobody minds');
  }

  @OsloMethod()
  @ExpectedExceptions(HostNotFound, RangeError)
  expected() {
    throw new HostNotFound('no host1');
  }

  @ExpectedExceptions(HostNotFound)
  @OsloMethod()
  expected_stream() {
    return throwError(() => new HostNotFound('no host1'));
  }

  @OsloMethod()
  @ExpectedExceptions(HostNotFound)
  expected_from_elsewhere() {
    return elsewhere;
  }

  @OsloMethod()
  @ExpectedExceptions(HostNotFound)
  unexpected() {
    throw new TypeError('no string');
  }

  @OsloMethod()
  @ExpectedExceptions(HostNotFound)
  @UseFilters(RecoveringFilter)
  filtered() {
    throw new HostNotFound('no host1');
  }
}

@OsloEndpoint({ namespace: 'compute', version: '5.3' })
class ComputeEndpoint {
  @OsloMethod()
  broken() {
    throw new RpcException('no host1');
  }

  @OsloMethod()
  unavailable() {
    throw new ServiceUnavailableException('no host1');
  }

  @OsloMethod()
  missing() {
    throw new NotFoundException('no host1');
  }

  @OsloMethod()
  @UseGuards(ClosedGuard)
  closed() {}

  @OsloMethod()
  @UseGuards(AskingGuard)
  asked() {}

  @OsloMethod()
  @UseGuards(RpcGuard)
  asked_by_rpc() {}
}

const ofCompute = (method: string) => ({ namespace: 'compute', method, version: '5.2' });

/** A server with a log, and what was written there for one call. */
async function logOf(method: object | string, controller = FailingEndpoint as new () => object) {
  const write = () => vi.fn<(message: unknown, ...rest: unknown[]) => void>();
  const logger = { debug: write(), error: write(), log: write(), warn: write() } satisfies LoggerService;
  const transportUrl = newBusUrl();
  const server = newServer({ transportUrl, logEvents: true });
  const events = eventsOf(server);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(rootModule([controller]), {
    strategy: server,
    logger,
  });
  onTestFinished(() => app.close());
  await app.listen();
  const client = newClient({ transportUrl, defaultContext: () => ({ request_id: 'req-7' }) });
  const outcome: unknown = await lastValueFrom(client.send(method, {})).catch((error) => error);
  const failures = events.filter(({ type }) => type === 'handler-failed');
  const textsAbout = (level: keyof typeof logger): string[] => {
    const texts = logger[level].mock.calls.map(([line]) => String(line));
    return texts.filter((line) => /host1|said so|minds|string|failed/.test(line));
  };
  const linesAbout = (level: keyof typeof logger): number => textsAbout(level).length;
  return {
    outcome,
    failures,
    texts: { error: textsAbout('error'), warn: textsAbout('warn'), debug: textsAbout('debug') },
    lines: { error: linesAbout('error'), warn: linesAbout('warn'), debug: linesAbout('debug') },
  };
}

it('an error is one error in the log, Nest’s, and an event', async () => {
  const { failures, lines, outcome } = await logOf('plain');
  expect(lines).toEqual({ error: 1, warn: 0, debug: 1 });
  expect(failures).toMatchObject([{ level: 'error', expected: false, error: { message: 'no host1' } }]);
  expect(outcome).toMatchObject({ excType: 'HostNotFound' });
});

it('text that is thrown is one error in the log, too, and all that callers get', async () => {
  const { lines, outcome } = await logOf('text');
  expect(lines).toEqual({ error: 1, warn: 0, debug: 1 });
  expect(outcome).toMatchObject({ excType: 'Exception', module: 'builtins', args: ['said so'] });
});

it('an RpcException, of which Nest writes nothing, is one error in the log', async () => {
  expect((await logOf('rpc_exception')).lines).toEqual({ error: 1, warn: 0, debug: 0 });
});

it('an intrinsic exception stays out of the log, as Nest has it', async () => {
  expect((await logOf('intrinsic')).lines).toEqual({ error: 0, warn: 0, debug: 1 });
});

it.each([['expected'], ['expected_stream']])('%s errors are for debugging only, and reach callers', async (method) => {
  const { failures, lines, outcome } = await logOf(method);
  expect(lines).toEqual({ error: 0, warn: 0, debug: 1 });
  expect(failures).toMatchObject([{ level: 'debug', expected: true, error: { message: 'no host1' } }]);
  expect(outcome).toMatchObject({ excType: 'HostNotFound', remoteMessage: 'no host1' });
});

it('other errors of such a handler are errors', async () => {
  expect((await logOf('unexpected')).lines).toEqual({ error: 1, warn: 0, debug: 1 });
});

it('a filter of the handler sees expected errors, too', async () => {
  const { lines, outcome } = await logOf('filtered');
  expect(outcome).toBe('recovered');
  expect(lines).toEqual({ error: 0, warn: 0, debug: 0 });
});

it.each([
  ['no_such_method', 'NoSuchMethod', { error: 0, warn: 1, debug: 0 }],
  ['no_such_method_ignore_errors', 'NoSuchMethod', { error: 0, warn: 0, debug: 1 }],
])('%s is its caller’s mistake', async (method, name, expected) => {
  const { failures, lines, outcome } = await logOf(method);
  expect(outcome).toMatchObject({ name });
  expect(lines).toEqual(expected);
  expect(failures).toHaveLength(1);
});

it('an answer that JSON cannot hold is the handler’s mistake', async () => {
  @Controller()
  class CircularController {
    @MessagePattern('circular')
    circular() {
      const answer: { self?: object } = {};
      answer.self = answer;
      return answer;
    }
  }
  const { failures, lines } = await logOf('circular', CircularController);
  expect(lines).toMatchObject({ error: 1, warn: 0 });
  expect(failures).toMatchObject([{ level: 'error', error: { name: 'MalformedMessage' } }]);
});

it('an expected error of a stream that fails outside of the request is no error in the log', async () => {
  setTimeout(() => elsewhere.error(new HostNotFound('no host1')), 100);
  const { lines } = await logOf('expected_from_elsewhere');
  expect(lines).toEqual({ error: 0, warn: 0, debug: 1 });
});

it.each([
  ['unavailable', 'an HttpException of 5xx is an error', { error: 1, warn: 0, debug: 0 }],
  ['missing', 'an HttpException of 4xx is a decision', { error: 0, warn: 0, debug: 1 }],
  ['closed', 'the refusal of a guard is a warning', { error: 0, warn: 1, debug: 0 }],
  ['asked', 'so is an HttpException that a guard throws', { error: 0, warn: 1, debug: 0 }],
  ['asked_by_rpc', 'and an RpcException of a guard', { error: 0, warn: 1, debug: 0 }],
])('%s: %s', async (method, _sentence, expected) => {
  const { failures, lines } = await logOf(ofCompute(method), ComputeEndpoint);
  expect(lines).toEqual(expected);
  expect(failures).toMatchObject([{ method, namespace: 'compute', version: '5.2', requestId: 'req-7' }]);
});

it.each([
  ['broken', 'error'],
  ['unavailable', 'error'],
  ['missing', 'debug'],
  ['closed', 'warn'],
] as const)('the line of %s has namespace, method, version and request id', async (method, level) => {
  const { texts } = await logOf(ofCompute(method), ComputeEndpoint);
  expect(texts[level]).toEqual([expect.stringContaining(`compute.${method} 5.2 (req-7) failed: `)]);
});
