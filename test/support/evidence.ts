import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { vi } from 'vitest';
import { type MessagingEvent, OsloMessagingError } from '../../lib/index.js';

/** Everything that a run has written, reported or thrown, as text. */
export class Evidence {
  readonly texts: string[] = [];

  /** What goes to the process's own outputs, until the returned function is called. */
  watchOutputs(): () => void {
    const write = (text: unknown): true => {
      this.texts.push(String(text));
      return true;
    };
    const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(write));
    const methods = (['log', 'info', 'warn', 'error', 'debug'] as const).map((method) =>
      vi.spyOn(console, method).mockImplementation((...all) => this.add('console', all)),
    );
    return () => [...spies, ...methods].forEach((spy) => spy.mockRestore());
  }

  /** A logger for Nest. */
  get logger(): LoggerService {
    const keep = (...all: unknown[]): void => this.add('log', all);
    return { log: keep, warn: keep, error: keep, debug: keep, verbose: keep, fatal: keep };
  }

  /** The error of an event is looked at where it is one of ours: a handler's own is its author's. */
  readonly event = (event: MessagingEvent): void => {
    const { error, ...facts } = event;
    this.add('event', facts);
    if (error instanceof OsloMessagingError) this.error(error);
  };

  error(error: unknown): void {
    this.add('error', error);
    const { message, stack } = error as Error;
    this.texts.push(String(message), String(stack), String(error));
  }

  /** Waits for a promise to reject, and keeps what it says. */
  async ofRejection(promise: Promise<unknown>): Promise<unknown> {
    const error: unknown = await promise.then(
      (value) => Promise.reject(new Error(`resolved to ${inspect(value)}`)),
      (reason: unknown) => reason,
    );
    this.error(error);
    return error;
  }

  private add(what: string, value: unknown): void {
    this.texts.push(`${what}: ${inspect(value, { depth: 12, showHidden: true, maxStringLength: null })}`);
    try {
      this.texts.push(JSON.stringify(value));
    } catch {
      // What is circular cannot be written to a log of JSON either.
    }
  }
}
