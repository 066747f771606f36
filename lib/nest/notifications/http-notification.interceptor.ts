import { checkOptions } from '../../config/option-rule.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  Optional,
} from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { textWithCause } from '../../errors/text-of.js';
import { maskSecrets } from '../../wire/redaction.js';
import { environOf, responseOf } from './http-environ.js';
import { Notifier } from './notifier.js';
import { inCurrentContext } from '../shared/request-context.store.js';

/**
 * Options of `HttpNotificationInterceptor`.
 *
 * @publicApi
 */
export interface HttpNotificationOptions {
  /** Told as `HTTP_X_SERVICE_NAME`. `service_name`. @defaultValue the request's host */
  serviceName?: string;
  /** HTTP methods that are not told of. `ignore_req_list`. @defaultValue [] */
  ignoreMethods?: readonly string[];
}

/**
 * Token under which an `HttpNotificationInterceptor` that Nest makes finds its options.
 *
 * @publicApi
 */
export const HTTP_NOTIFICATION_OPTIONS: unique symbol = Symbol('nestjs-oslo-messaging:http notification options');

/**
 * Notifies each HTTP request, as `http.request`, and how it ended, as `http.response`, without what
 * authenticates. Mirrors Python's middleware `RequestNotifier`; what goes wrong here harms no request.
 *
 * An interceptor: requests that a guard refuses, or that no route takes, are not told of.
 *
 * @example
 * ```ts
 * providers: [{ provide: APP_INTERCEPTOR, useClass: HttpNotificationInterceptor }]
 * // or, with options
 * app.useGlobalInterceptors(new HttpNotificationInterceptor(app.get(Notifier), { ignoreMethods: ['HEAD'] }));
 * ```
 *
 * @publicApi
 */
@Injectable()
export class HttpNotificationInterceptor implements NestInterceptor {
  private readonly logger = new Logger(HttpNotificationInterceptor.name);
  private readonly serviceName: string | undefined;
  private readonly ignored: ReadonlySet<string>;

  constructor(
    private readonly notifier: Notifier,
    @Optional() @Inject(HTTP_NOTIFICATION_OPTIONS) options?: HttpNotificationOptions,
  ) {
    checkOptions('HttpNotificationInterceptor', options, {
      serviceName: { type: 'name' },
      ignoreMethods: { type: 'strings' },
    });
    this.serviceName = options?.serviceName;
    this.ignored = new Set((options?.ignoreMethods ?? []).map((method) => method.trim().toUpperCase()));
  }

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (execution.getType() !== 'http') return next.handle();
    const http = execution.switchToHttp();
    const request = rawOf<IncomingMessage>(http.getRequest());
    const response = rawOf<ServerResponse>(http.getResponse());
    if (this.ignored.has(request.method ?? '')) return next.handle();
    let failure: { error: unknown } | undefined;
    this.harmlessly(() => {
      const described = { request: environOf(request, this.serviceName) };
      void this.notifier.info('http.request', described);
      const ended = inCurrentContext(() => this.harmlessly(() => this.tellEnd(described, response, failure)));
      // The last event of a response, whether or not it could be sent.
      response.once('close', () => ended(undefined));
    });
    return next.handle().pipe(tap({ error: (error: unknown) => (failure = { error }) }));
  }

  private tellEnd(described: object, response: ServerResponse, failure: { error: unknown } | undefined): void {
    void this.notifier.info('http.response', {
      ...described,
      ...(response.headersSent && { response: responseOf(response.statusCode, response.getHeaders()) }),
      ...(failure && { exception: exceptionOf(failure.error) }),
    });
  }

  private harmlessly(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.logger.error(`A request could not be notified: ${textWithCause(error)}`);
    }
  }
}

/** Fastify wraps them. */
function rawOf<Raw>(wrapped: Raw & { raw?: Raw }): Raw {
  return wrapped.raw ?? wrapped;
}

function exceptionOf(error: unknown): { value: string; traceback: string[] } {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return { value: maskSecrets(String(error)), traceback: frames };
}
