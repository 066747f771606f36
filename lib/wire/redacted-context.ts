import type { RequestContext } from './request-context.js';

/** The keys that Python's oslo.context sends with a notification, in its order; nothing else leaves with one. */
const NOTIFIED_KEYS = [
  'user',
  'project_id',
  'system_scope',
  'project',
  'domain',
  'user_domain',
  'project_domain',
  'is_admin',
  'read_only',
  'show_deleted',
  'auth_token',
  'request_id',
  'global_request_id',
  'resource_uuid',
  'roles',
  'user_identity',
  'is_admin_project',
];

/**
 * The part of a context that may go with a notification, its token replaced by null: who listens to
 * notifications is nobody's confidant.
 *
 * Answers to Python's `_sanitize_context`; the newest drops a plain dict altogether, this does not.
 */
export function redactedContext(context: RequestContext): RequestContext {
  const redacted: Record<string, unknown> = {};
  for (const key of NOTIFIED_KEYS) {
    if (Object.hasOwn(context, key)) redacted[key] = key === 'auth_token' ? null : context[key];
  }
  return redacted;
}
