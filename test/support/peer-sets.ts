import { readFileSync } from 'node:fs';

interface Manifest {
  peerDependencies: Record<string, string>;
}

export type PeerSet = 'lowest' | 'newest';

const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

/** A range has an alternative for each major version of Nest; other peers have one for both. */
function ofMajor(range: string, major: '11' | '12'): string {
  return range.split(' || ').find((one) => one.startsWith(`^${major}.`)) ?? range;
}

/** Versions by name, of what the package says that it works with: the lowest of each peer, or whatever is the newest, with either Nest. */
export function peerSet(which: PeerSet, major: '11' | '12'): Record<string, string> {
  const versions = Object.entries(peerDependencies).map(([name, range]) => {
    const wanted = ofMajor(range, major);
    return [name, which === 'lowest' ? wanted.replace(/^[\^~]/, '') : wanted] as const;
  });
  return Object.fromEntries(versions);
}

/** As `npm install` takes them. */
export function named(versions: Readonly<Record<string, string>>): string[] {
  return Object.entries(versions).map(([name, version]) => `${name}@${version}`);
}
