/**
 * The destination of a message, or the address of a server. Absent fields are inherited or default.
 *
 * Mirrors `oslo_messaging.Target`.
 *
 * @publicApi
 */
export interface Target {
  /** The scope of topics: the control exchange. */
  exchange?: string;
  /** The set of interfaces that a group of servers exposes. */
  topic?: string;
  /** One interface within the topic; null is the interface without a name. */
  namespace?: string | null;
  /** The version of that interface. */
  version?: string | null;
  /** One server of the topic. */
  server?: string;
  /** Every server of the topic. */
  fanout?: boolean;
}

/** `exchange/topic.server`, as far as it is known, for people. */
export function describeTarget(target: Target): string {
  const exchange = target.exchange === undefined ? '' : `${target.exchange}/`;
  const server = target.server === undefined ? '' : `.${target.server}`;
  const fanout = target.fanout === true ? ' (fanout)' : '';
  return `${exchange}${target.topic ?? '(no topic)'}${server}${fanout}`;
}
