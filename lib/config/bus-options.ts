import { overKafka } from './kafka-options.js';
import { mergeOptions } from './option-origins.js';
import { kafkaOptionsFromUrl } from './oslo-kafka-options.js';
import { rabbitOptionsFromUrl } from './oslo-rabbit-options.js';
import type { RabbitOptions } from './rabbit-options.js';
import type { TransportUrl } from './transport-url.js';

/**
 * The options in a transport URL, of the bus that it names. `place`: where it stands, for errors.
 *
 * @throws ConfigurationError an unknown option, or a value that is none
 */
export function busOptionsFromUrl(
  url: Pick<TransportUrl, 'query' | 'ssl' | 'transport'>,
  place?: string,
): RabbitOptions {
  return url.transport === 'kafka' ? { kafka: kafkaOptionsFromUrl(url, place) } : rabbitOptionsFromUrl(url, place);
}

/** One bag of several, of which the last rules; Kafka's group is put together as well. */
export function overBusOptions<Options extends Pick<RabbitOptions, 'kafka'>>(...bags: readonly Options[]): Options {
  const kafka = bags.map((bag) => bag.kafka).filter((group) => group !== undefined);
  const merged = mergeOptions<Options>(...bags);
  if (kafka.length > 1) merged.kafka = kafka.reduce(overKafka);
  return merged;
}
