/** Topics of services that have dots themselves: ironic's, and those of neutron's objects (`neutron-vo-Port-1.1`). */
const DOTTED_TOPIC = /^(?:ironic\.conductor_manager|neutron-vo-[^.]+\.\d+)(?=\.|$)/;

/** A topic and its server, as `conductor.host1`, a routing key or the name of a queue has them. */
export interface AddressText {
  readonly topic: string;
  readonly server?: string;
}

/** The topic ends at the first dot, unless it is one that has dots; hosts have them often. */
export function addressIn(text: string): AddressText {
  const dotted = DOTTED_TOPIC.exec(text)?.[0];
  const end = dotted === undefined ? text.indexOf('.') : dotted.length;
  return end === -1 || (end === dotted?.length && end === text.length)
    ? { topic: text }
    : { topic: text.slice(0, end), server: text.slice(end + 1) };
}
