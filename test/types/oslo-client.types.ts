// Checked by the compiler alone (`npm run types`): each directive below is an error once its line is none.
import { expectTypeOf } from 'vitest';
import type { Observable } from 'rxjs';
import { type OsloClient, type OsloRpcContext, OsloRpcRecordBuilder } from 'nestjs-oslo-messaging';

interface Host {
  name: string;
}

interface ConductorApi {
  ping(args: { arg: string }): string;
  getHost(args: { name: string; cell?: number }): Promise<Host | undefined>;
  list(args?: { marker?: string }): Observable<Host[]>;
  filter(args: { marker?: string }): Host[];
  reload(): void;
  then(): string;
  readonly topic: string;
}

declare const client: OsloClient<ConductorApi>;

export async function resultsAreTyped(): Promise<void> {
  expectTypeOf(await client.call('ping', { arg: 'hi' })).toEqualTypeOf<string>();
  expectTypeOf(await client.call('getHost', { name: 'host1' })).toEqualTypeOf<Host | null>();
  expectTypeOf(await client.call('list')).toEqualTypeOf<Host[]>();
  expectTypeOf(await client.call('reload')).toEqualTypeOf<null>();
  expectTypeOf(client.cast('ping', { arg: 'hi' })).toEqualTypeOf<Promise<void>>();
  expectTypeOf(client.fanout('reload')).toEqualTypeOf<Promise<void>>();
  expectTypeOf(await client.prepare({ server: 'host1' }).call('ping', { arg: 'hi' })).toEqualTypeOf<string>();
  expectTypeOf(await client.proxy().ping({ arg: 'hi' })).toEqualTypeOf<string>();
  expectTypeOf(client.prepare({}).proxy().list).returns.resolves.toEqualTypeOf<Host[]>();
}

export function optionsFollowTheArguments(): void {
  void client.call('ping', { arg: 'hi' }, { context: { user_id: 'u1' }, signal: AbortSignal.timeout(1) });
  void client.call('ping', new OsloRpcRecordBuilder({ arg: 'hi' }).setTimeout(5).build());
  void client.call('filter');
  void client.call('filter', {});
  void client.call('list', undefined, { context: {} });
  void client.call('reload', {}, { context: {} });
}

export function wrongMethodsAreRefused(): void {
  // @ts-expect-error no such method
  void client.call('pong', { arg: 'hi' });
  // @ts-expect-error no such method
  void client.cast('pong', { arg: 'hi' });
  // @ts-expect-error no such method
  void client.fanout('pong');
  // @ts-expect-error no such method
  void client.prepare({ server: 'host1' }).call('pong', {});
  // @ts-expect-error no such method
  void client.proxy().pong({ arg: 'hi' });
  // @ts-expect-error not a method
  void client.call('topic');
  // @ts-expect-error a proxy with it would be taken for a promise
  void client.proxy().then;
}

export function wrongArgumentsAreRefused(): void {
  // @ts-expect-error the argument is missing
  void client.call('ping');
  // @ts-expect-error the argument is missing
  void client.call('ping', {});
  // @ts-expect-error of another type
  void client.call('ping', { arg: 5 });
  // @ts-expect-error not an argument
  void client.call('ping', { arg: 'hi', other: 1 });
  // @ts-expect-error not positional
  void client.call('ping', 'hi');
  // @ts-expect-error takes no arguments
  void client.call('reload', { arg: 'hi' });
  // @ts-expect-error of another type
  void client.cast('getHost', { name: 'host1', cell: 'two' });
  // @ts-expect-error of another type
  void client.proxy().ping({ arg: 5 });
  // @ts-expect-error no signal for what is not waited for
  void client.cast('ping', { arg: 'hi' }, { signal: AbortSignal.timeout(1) });
  // @ts-expect-error of another type, in a record
  void client.call('ping', new OsloRpcRecordBuilder({ arg: 5 }).build());
  // @ts-expect-error not an option
  void client.prepare({ patience: 5 });
}

/** A server's own class will do as the interface: what follows the arguments there is no business of callers. */
declare class ConductorController {
  ping(args: { arg: string }, context: OsloRpcContext): Promise<number>;
  positional(first: string, second: string): void;
}
declare const ofController: OsloClient<ConductorController>;

export async function aControllerIsAnInterface(): Promise<void> {
  expectTypeOf(await ofController.call('ping', { arg: 'hi' })).toEqualTypeOf<number>();
  // @ts-expect-error there are no positional arguments on the wire
  void ofController.call('positional', 'first');
}

declare const untyped: OsloClient;

export async function withoutAnInterfaceAllIsAllowed(): Promise<void> {
  expectTypeOf(await untyped.call('anything', { arg: 'hi' })).toEqualTypeOf<unknown>();
  expectTypeOf(await untyped.call('anything')).toEqualTypeOf<unknown>();
  expectTypeOf(await untyped.proxy().anything!({ arg: 1 })).toEqualTypeOf<unknown>();
  // @ts-expect-error not positional, here neither
  void untyped.call('anything', 'hi');
}
