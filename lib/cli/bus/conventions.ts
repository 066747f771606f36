/** An interface that servers of a topic serve: of this version they write nothing about a silent ping into their logs. */
export interface ConventionalTopic {
  readonly topic: string;
  readonly namespace?: string;
  readonly version: string;
}

/** Settings that a service has in code, and not in its file. */
export interface ServiceConventions {
  readonly exchange?: string;
  readonly topics: readonly ConventionalTopic[];
}

const ofNova = ['conductor', 'scheduler', 'compute'];
const ofHeat = ['engine', 'engine_worker', 'heat-engine-listener'];

/** By the names of configuration files; seen in the sources of the services (docs/real-services.md). */
export const SERVICE_CONVENTIONS: Readonly<Record<string, ServiceConventions>> = {
  'nova.conf': {
    exchange: 'nova',
    topics: ofNova.map((topic) => ({ topic, namespace: 'baseapi', version: '1.0' })),
  },
  'cinder.conf': {
    topics: [
      { topic: 'cinder-scheduler', version: '3.0' },
      { topic: 'cinder-volume', version: '3.0' },
      { topic: 'cinder-backup', version: '2.0' },
    ],
  },
  'heat.conf': { exchange: 'heat', topics: ofHeat.map((topic) => ({ topic, version: '1.0' })) },
  'ironic.conf': { exchange: 'ironic', topics: [{ topic: 'ironic.conductor_manager', version: '1.0' }] },
  'ceilometer.conf': { exchange: 'ceilometer', topics: [] },
};

/** Undefined: nothing is known of such a topic. */
function conventionOf(exchange: string, topic: string): ConventionalTopic | undefined {
  const services = Object.values(SERVICE_CONVENTIONS).filter((one) => (one.exchange ?? exchange) === exchange);
  return services.flatMap(({ topics }) => topics).find((one) => one.topic === topic);
}

/** The interface that a silent ping asks for. */
export interface PingedInterface {
  readonly namespace: string | null;
  /** Null: 1.0. */
  readonly version: string | null;
}

/** As the user says; where nothing is said, one that servers of the topic serve, as far as that is known. */
export function pingedInterface(
  target: { readonly exchange: string; readonly topic: string },
  { namespace, version }: { readonly namespace?: string | undefined; readonly version?: string | undefined },
): PingedInterface {
  const convention = conventionOf(target.exchange, target.topic);
  if (namespace !== undefined || version !== undefined || !convention) {
    return { namespace: namespace ?? null, version: version ?? null };
  }
  return { namespace: convention.namespace ?? null, version: convention.version };
}
