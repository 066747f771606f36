import type { RequestFacts } from '../events/messaging-event.js';
import { shown } from '../wire/shown.js';

/** Either side knows a request by these. */
type Facts = Omit<RequestFacts, 'namespace'> & { readonly namespace?: string | null };

/** For people: `namespace.method version (request id)`. */
export function describeRequest({ method, namespace, version, requestId }: Facts): string {
  const path = namespace ? `${shown(namespace)}.${shown(method)}` : shown(method);
  const versioned = version === undefined ? path : `${path} ${shown(version)}`;
  return `${versioned}${requestId === undefined ? '' : ` (${shown(requestId)})`}`;
}

/** The facts of a request that its events have in common. */
export function requestFacts({ method, namespace, version, requestId }: Facts): RequestFacts {
  return { method, namespace: namespace ?? undefined, version, requestId };
}
