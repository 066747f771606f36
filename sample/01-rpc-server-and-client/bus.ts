/** Where both ends meet: on the embedded bus, or on a real one. */
export const transportUrl = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
export const rpc = { transportUrl, startup: 'fail-fast' as const, exchange: 'nova', topic: 'conductor' };
export const notifications = { transportUrl, exchange: 'nova', publisherId: 'conductor.host1' };
