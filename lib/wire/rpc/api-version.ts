import { ConfigurationError } from '../../errors/configuration.errors.js';

/** A version of an interface: `major.minor` or `major.minor.revision`. */
export interface ApiVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
}

const API_VERSION = /^(\d+)\.(\d+)(?:\.(\d+))?(?:\.\d+)*$/;

/** The numbers of a version; undefined where it is none. */
export function parseApiVersion(text: string): ApiVersion | undefined {
  const parts = API_VERSION.exec(text);
  if (parts === null) return undefined;
  return { major: Number(parts[1]), minor: Number(parts[2]), revision: Number(parts[3] ?? 0) };
}

/**
 * As `parseApiVersion`, for a version that our own side states.
 *
 * @throws ConfigurationError
 */
export function checkApiVersion(text: string): ApiVersion {
  const version = typeof text === 'string' ? parseApiVersion(text) : undefined;
  if (version === undefined) {
    throw new ConfigurationError(`'${text}' is not a version: it must look like '1.0' or '1.2.3'`, text);
  }
  return version;
}

/**
 * True when what is implemented serves what is requested: same major, requested minor not higher, and
 * in the same minor the requested revision not higher.
 *
 * Mirrors Python's `version_is_compatible`: nothing implemented in particular serves everything,
 * nothing requested in particular is served by nothing. What is no version is incompatible.
 */
export function isVersionCompatible(
  requested: string | null | undefined,
  implemented: string | null | undefined,
): boolean {
  if (implemented === null || implemented === undefined) return true;
  if (requested === null || requested === undefined) return false;
  const wanted = parseApiVersion(requested);
  const offered = parseApiVersion(implemented);
  if (wanted === undefined || offered === undefined || wanted.major !== offered.major) return false;
  if (wanted.minor !== offered.minor) return wanted.minor < offered.minor;
  return wanted.revision <= offered.revision;
}

/** The highest of them; undefined of none. What is no version is passed over. */
export function highestVersion(versions: Iterable<string>): string | undefined {
  let highest: { text: string; version: ApiVersion } | undefined;
  for (const text of versions) {
    const version = parseApiVersion(text);
    if (version !== undefined && (highest === undefined || compare(version, highest.version) > 0)) {
      highest = { text, version };
    }
  }
  return highest?.text;
}

/** The major of a version; undefined where it is none. */
export function majorOf(version: string): number | undefined {
  return parseApiVersion(version)?.major;
}

function compare(a: ApiVersion, b: ApiVersion): number {
  return a.major - b.major || a.minor - b.minor || a.revision - b.revision;
}
