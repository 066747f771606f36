// Debian starts a service as soon as it is installed, unless a policy forbids it.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Told from a policy of the system's own, should a killed run have left it behind. */
const POLICY = '#!/bin/sh\n# Of the tests of nestjs-oslo-messaging, while they install what they need.\nexit 101\n';

/**
 * Forbids it while `install` runs; whatever ends that, the policy that was there before is back. `draft` is
 * a file that we may write, `asRoot` runs a program that may write `path`.
 */
export async function withServicesOff(install, { asRoot, draft, path = '/usr/sbin/policy-rc.d' }) {
  const saved = `${path}.oslo-test-saved`;
  if (existsSync(path) && readFileSync(path, 'utf8') !== POLICY) asRoot('mv', path, saved);
  try {
    mkdirSync(dirname(draft), { recursive: true });
    writeFileSync(draft, POLICY, { mode: 0o755 });
    asRoot('install', '-m', '755', draft, path);
    rmSync(draft);
    await install();
  } finally {
    if (existsSync(saved)) asRoot('mv', saved, path);
    else asRoot('rm', '-f', path);
  }
}
