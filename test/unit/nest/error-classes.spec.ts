import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  HttpException,
  Injectable,
  NotFoundException,
  type PipeTransform,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { catchError, lastValueFrom, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { ClientOsloRpc, ServerOsloRpcOptions } from '../../../lib/index.js';
import { newClient, rootModule, serve } from './nest-apps.js';

class HostNotFound extends NotFoundException {}
class QuotaExceeded extends Error {}

/** What a caller learns of a failure. */
async function failureOf(client: ClientOsloRpc, method: string): Promise<object> {
  return lastValueFrom(client.send(method, {})).then(
    () => {
      throw new Error('did not fail');
    },
    ({ module, excType, remoteMessage, args }) => ({ class: `${module}.${excType}`, message: remoteMessage, args }),
  );
}

@Controller()
class FailingController {
  @MessagePattern('plain')
  plain() {
    throw new QuotaExceeded('too many');
  }
  @MessagePattern('type_error')
  typeError() {
    throw new TypeError('no number');
  }
  @MessagePattern('stream')
  stream() {
    return throwError(() => new RangeError('torn'));
  }
  @MessagePattern('a_string')
  aString() {
    throw 'just text';
  }
  @MessagePattern('bad_request')
  badRequest() {
    throw new BadRequestException('no such size');
  }
  @MessagePattern('validation')
  validation() {
    throw new BadRequestException(['size must be a number', 'name must not be empty']);
  }
  @MessagePattern('not_found')
  notFound() {
    throw new NotFoundException('no host');
  }
  @MessagePattern('forbidden')
  forbidden() {
    throw new ForbiddenException('not yours');
  }
  @MessagePattern('conflict')
  conflict() {
    throw new ConflictException('in use');
  }
  @MessagePattern('detailed')
  detailed() {
    throw new ConflictException({ message: 'in use by two', users: ['a', 'b'] });
  }
  @MessagePattern('teapot')
  teapot() {
    throw new HttpException('short and stout', 418);
  }
  @MessagePattern('mapped')
  mapped() {
    throw new HostNotFound('host1');
  }
  @MessagePattern('rpc_text')
  rpcText() {
    throw new RpcException('said so');
  }
  @MessagePattern('rpc_object')
  rpcObject() {
    throw new RpcException({ code: 7, message: 'with a code' });
  }
  @MessagePattern('rpc_object_without_message')
  rpcBareObject() {
    throw new RpcException({ code: 7 });
  }
  @MessagePattern('rpc_error')
  rpcError() {
    throw new RpcException(new RangeError('inside'));
  }
}

describe('with OsloRpcModule', () => {
  it.each([
    ['plain', 'nestjs.QuotaExceeded', 'too many'],
    ['type_error', 'builtins.TypeError', 'no number'],
    ['stream', 'builtins.ValueError', 'torn'],
    ['a_string', 'builtins.Exception', 'just text'],
    ['bad_request', 'builtins.ValueError', 'no such size'],
    ['not_found', 'builtins.LookupError', 'no host'],
    ['forbidden', 'builtins.PermissionError', 'not yours'],
    ['conflict', 'builtins.Exception', 'in use'],
    ['teapot', 'builtins.Exception', 'short and stout'],
    ['mapped', 'builtins.LookupError', 'host1'],
    ['rpc_text', 'builtins.Exception', 'said so'],
    ['rpc_error', 'builtins.ValueError', 'inside'],
  ])('%s is raised as %s', async (method, pythonClass, message) => {
    const { client, events } = await serve(rootModule([FailingController]));
    expect(await failureOf(client, method)).toEqual({ class: pythonClass, message, args: [message] });
    expect(events.filter(({ type }) => type === 'error-class-lost')).toEqual([]);
  });

  it('keeps the list of a validation, and what else is in the response of an exception', async () => {
    const { client } = await serve(rootModule([FailingController]));
    const messages = ['size must be a number', 'name must not be empty'];
    expect(await failureOf(client, 'validation')).toEqual({
      class: 'builtins.ValueError',
      message: messages.join('; '),
      args: [messages.join('; '), { statusCode: 400, error: 'Bad Request', message: messages }],
    });
    expect(await failureOf(client, 'detailed')).toEqual({
      class: 'builtins.Exception',
      message: 'in use by two',
      args: ['in use by two', { message: 'in use by two', users: ['a', 'b'] }],
    });
  });

  it('keeps what an RpcException carries beside its message', async () => {
    const { client } = await serve(rootModule([FailingController]));
    expect(await failureOf(client, 'rpc_object')).toEqual({
      class: 'builtins.Exception',
      message: 'with a code',
      args: ['with a code', { code: 7, message: 'with a code' }],
    });
    expect(await failureOf(client, 'rpc_object_without_message')).toEqual({
      class: 'builtins.Exception',
      message: '{ code: 7 }',
      args: ['{ code: 7 }', { code: 7 }],
    });
  });

  it.each<[string, ServerOsloRpcOptions]>([
    ['pythonExceptions', { pythonExceptions: [[HostNotFound, 'nova.exception.HostNotFound']] }],
    ['remoteExceptions', { remoteExceptions: { 'nova.exception.HostNotFound': HostNotFound } }],
  ])("lets the user's %s win over Nest's classes", async (_option, options) => {
    const { client } = await serve(rootModule([FailingController]), options);
    expect(await failureOf(client, 'mapped')).toMatchObject({ class: 'nova.exception.HostNotFound' });
  });

  it('gives callers the class that they have registered', async () => {
    const { server } = await serve(rootModule([FailingController]), {
      transportUrl: 'memory://registered',
      remoteExceptions: { 'nova.exception.HostNotFound': HostNotFound },
    });
    expect(server).toBeDefined();
    const client = newClient({
      transportUrl: 'memory://registered',
      remoteExceptions: { 'nova.exception.HostNotFound': HostNotFound },
    });
    const caught = client.send('mapped', {}).pipe(catchError((error: unknown) => of(error)));
    const error = await lastValueFrom(caught);
    expect(error).toBeInstanceOf(HostNotFound);
    expect(error).toMatchObject({ message: 'host1' });
  });

  it("lets what a user's own filter makes of an error win", async () => {
    @Catch(QuotaExceeded)
    class QuotaFilter implements ExceptionFilter {
      catch(exception: QuotaExceeded, _host: ArgumentsHost) {
        return throwError(() => new RangeError(`filtered: ${exception.message}`));
      }
    }
    @Catch(TypeError)
    class RecoveringFilter implements ExceptionFilter {
      catch() {
        return of('recovered');
      }
    }
    @Controller()
    @UseFilters(QuotaFilter, RecoveringFilter)
    class FilteredController extends FailingController {}
    const { client } = await serve(rootModule([FilteredController]));
    expect(await failureOf(client, 'plain')).toMatchObject({
      class: 'builtins.ValueError',
      message: 'filtered: too many',
    });
    expect(await lastValueFrom(client.send('type_error', {}))).toBe('recovered');
  });

  it('sees what interceptors of the controller and pipes throw', async () => {
    @Injectable()
    class RefusingPipe implements PipeTransform {
      transform(): never {
        throw new RangeError('refused by a pipe');
      }
    }
    @Controller()
    class PipedController {
      @UsePipes(RefusingPipe)
      @MessagePattern('piped')
      piped(@Payload() _args: unknown) {}

      @UseInterceptors({
        intercept: () => {
          throw new RangeError('refused by an interceptor');
        },
      })
      @MessagePattern('intercepted')
      intercepted() {}
    }
    const { client } = await serve(rootModule([PipedController]));
    expect(await failureOf(client, 'piped')).toMatchObject({
      class: 'builtins.ValueError',
      message: 'refused by a pipe',
    });
    expect(await failureOf(client, 'intercepted')).toMatchObject({ message: 'refused by an interceptor' });
  });

  it('tells that a guard has refused', async () => {
    @Controller()
    class GuardedController {
      @UseGuards({ canActivate: () => false })
      @MessagePattern('guarded')
      guarded() {}
    }
    const { client } = await serve(rootModule([GuardedController]));
    expect(await failureOf(client, 'guarded')).toMatchObject({
      class: 'builtins.PermissionError',
      message: 'Forbidden resource',
    });
  });

  it('keeps the errors of concurrent calls apart', async () => {
    @Controller()
    class SlowController {
      @MessagePattern('slow')
      async slow(@Payload('n') n: number) {
        await new Promise((resolve) => setTimeout(resolve, 20 - n));
        throw new RangeError(`number ${n}`);
      }
    }
    const { client } = await serve(rootModule([SlowController]));
    const numbers = [...Array(20).keys()];
    const messages = await Promise.all(
      numbers.map((n) => lastValueFrom(client.send('slow', { n })).catch((error) => error.remoteMessage)),
    );
    expect(messages).toEqual(numbers.map((n) => `number ${n}`));
  });
});

describe('without OsloRpcModule', () => {
  // A class of its own: once prepared, a controller stays so for every application of the process.
  @Controller()
  class UnkeptController {
    @MessagePattern('plain')
    plain() {
      throw new QuotaExceeded('too many');
    }
    @MessagePattern('rpc_text')
    rpcText() {
      throw new RpcException('said so');
    }
  }

  it('warns once of lost classes, with the remedy, and still answers', async () => {
    const { client, events } = await serve(rootModule([UnkeptController], { keeper: false }));
    expect(await failureOf(client, 'plain')).toMatchObject({
      class: 'builtins.Exception',
      message: 'Internal server error',
    });
    await failureOf(client, 'plain');
    const warnings = events.filter(({ type }) => type === 'error-class-lost');
    expect(warnings).toMatchObject([{ level: 'warn', message: expect.stringContaining('OsloRpcModule.forRoot()') }]);
  });

  it('has nothing to warn of where nothing is lost', async () => {
    const { client, events } = await serve(rootModule([UnkeptController], { keeper: false }));
    expect(await failureOf(client, 'rpc_text')).toMatchObject({ message: 'said so' });
    expect(events.filter(({ type }) => type === 'error-class-lost')).toEqual([]);
  });
});
