import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { named, type PeerSet, peerSet } from './peer-sets.js';

/** Where Nest 11 is, in a project whose specs run on it. */
export function nest11Folder(which: PeerSet): string {
  return resolve('.cache/nest-11', which);
}

function packagesOf(which: PeerSet): string[] {
  const nest = Object.entries(peerSet(which, '11')).filter(([name]) =>
    /^(@nestjs\/|rxjs$|reflect-metadata$)/.test(name),
  );
  const peers = Object.fromEntries(nest);
  const core = peers['@nestjs/core']!;
  const besides = { '@nestjs/testing': core, '@nestjs/platform-express': core };
  return named({ ...peers, ...besides, 'class-transformer': '^0.5.1', 'class-validator': '^0.15.1' });
}

/** Installs the Nest 11 of a project, in whose environment `OSLO_TEST_NEST_11` says which; the newest is looked up once a day. */
export function setup(project: TestProject): void {
  const which = project.config.env['OSLO_TEST_NEST_11'] as PeerSet;
  const folder = nest11Folder(which);
  const packages = packagesOf(which);
  const today = new Date().toISOString().slice(0, 10);
  const stamp = JSON.stringify(which === 'newest' ? [...packages, today] : packages);
  const stampFile = join(folder, 'stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  project.vitest.logger.log(`Installing Nest 11 (${which}) for ${project.name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...packages];
  execFileSync('npm', install, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  // Written last: an interrupted installation is none.
  writeFileSync(stampFile, stamp);
}
