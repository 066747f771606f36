/** The place of an option that nobody has set in code. */
export interface OptionOrigin {
  /** As it is called there. */
  readonly name: string;
  /** In words: `in [oslo_messaging_rabbit] of /etc/nova/nova.conf`. */
  readonly where: string;
}

/** Beside the bags, so that a bag is the options and nothing else. */
const origins = new WeakMap<object, ReadonlyMap<string, OptionOrigin>>();

/** The same bag, and where its options stand. */
export function withOrigins<Options extends object>(
  options: Options,
  found: Iterable<readonly [keyof Options & string, OptionOrigin]>,
): Options {
  // The value that stands there may be a secret.
  origins.set(options, new Map(Array.from(found, ([option, { name, where }]) => [option, { name, where }])));
  return options;
}

/** A copy that has some of the options, or all. */
export function withOriginsOf<Options extends object>(source: object, copy: Options): Options {
  const ofSource = origins.get(source);
  if (ofSource) origins.set(copy, ofSource);
  return copy;
}

/** One bag of several, of which the last rules; it is known of each option where it stands. */
export function mergeOptions<Options extends object>(...bags: readonly Partial<Options>[]): Options {
  const found = new Map<string, OptionOrigin>();
  for (const bag of bags) {
    const ofBag = origins.get(bag);
    for (const name of Object.keys(bag)) {
      const origin = ofBag?.get(name);
      if (origin) found.set(name, origin);
      else found.delete(name);
    }
  }
  const merged = Object.assign({}, ...bags) as Options;
  origins.set(merged, found);
  return merged;
}

/** For errors: `ssl_ca_file in [oslo_messaging_rabbit] of /etc/nova/nova.conf`, or `sslCaFile` where it is set in code. */
export function labelOf<Options extends object>(options: Options, name: keyof Options & string): string {
  const origin = origins.get(options)?.get(name);
  return origin ? `${origin.name} ${origin.where}` : name;
}

/** The name as it is written where another option of the bag stands. */
export function spelledLike<Options extends object>(
  options: Options,
  other: keyof Options & string,
  name: keyof Options & string,
): string {
  return origins.get(options)?.has(other) ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name;
}
