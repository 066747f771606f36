// Checked by the compiler alone (`npm run types`): each directive below is an error once its line is none.
import { expectTypeOf } from 'vitest';
import type {
  NotificationModuleOptions,
  OsloNotificationContext,
  OsloRpcContext,
  RequestContext,
} from 'nestjs-oslo-messaging';

declare module 'nestjs-oslo-messaging' {
  interface RequestContext {
    readonly tenant_tier?: string;
  }
}

/** No more than the keys that are declared: with `noPropertyAccessFromIndexSignature` the others need brackets. */
type Declared<Context> = keyof { [Key in keyof Context as string extends Key ? never : Key]: Context[Key] };

declare const rpc: OsloRpcContext;
declare const notification: OsloNotificationContext;

export function whatOsloContextSendsIsDeclared(): void {
  // The keys of `RequestContext.to_dict()` of oslo.context 6.5.0.
  expectTypeOf<
    | 'auth_token'
    | 'domain'
    | 'global_request_id'
    | 'is_admin'
    | 'is_admin_project'
    | 'project'
    | 'project_domain'
    | 'project_id'
    | 'read_only'
    | 'request_id'
    | 'resource_uuid'
    | 'roles'
    | 'show_deleted'
    | 'system_scope'
    | 'user'
    | 'user_domain'
    | 'user_identity'
  >().toExtend<Declared<RequestContext>>();
  expectTypeOf<'domain_id' | 'service_catalog' | 'user_id' | 'user_name'>().toExtend<Declared<RequestContext>>();
}

export function fieldsHaveTheirTypes(): void {
  expectTypeOf(rpc.requestContext.user_id).toEqualTypeOf<string | null | undefined>();
  expectTypeOf(rpc.requestContext.roles).toEqualTypeOf<readonly string[] | undefined>();
  expectTypeOf(notification.requestContext.is_admin).toEqualTypeOf<boolean | null | undefined>();
}

export function theRestIsOpen(): void {
  expectTypeOf(rpc.requestContext['instance_lock_checked']).toEqualTypeOf<unknown>();
  // Declared by the application, above.
  expectTypeOf(rpc.requestContext.tenant_tier).toEqualTypeOf<string | undefined>();
  const context: RequestContext = { user_id: 'u1', quota_class: 'gold' };
  expectTypeOf(context).toExtend<Readonly<Record<string, unknown>>>();
  const options: NotificationModuleOptions = { defaultContext: () => ({ user_id: 'u1', quota_class: 'gold' }) };
  expectTypeOf(options).toBeObject();
}

export function wrongTypesAreRefused(): void {
  // @ts-expect-error of another type
  const context: RequestContext = { user_id: 5 };
  // @ts-expect-error it is the caller's
  rpc.requestContext.user_id = 'u2';
  expectTypeOf(context).toBeObject();
}
