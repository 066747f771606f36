import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as common from '@nestjs/common';
import { Server } from '@nestjs/microservices';
import { expect, it } from 'vitest';
import { ServerOsloRpc } from '../../lib/index.js';
import { nest11Folder } from '../support/nest-11.js';
import { type PeerSet, peerSet } from '../support/peer-sets.js';

const which = process.env['OSLO_TEST_NEST_11'] as PeerSet;

function versionOf(name: string): string {
  const file = join(nest11Folder(which), 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

it('specs and library run on one Nest, which is Nest 11', () => {
  expect(ServerOsloRpc.prototype).toBeInstanceOf(Server);
  // Nest 12 has it.
  expect(Object.keys(common)).not.toContain('StandardSchemaValidationPipe');
});

it('which is the lowest that the package says it works with, or a newer one', () => {
  const version = versionOf('@nestjs/core');
  const lowest = peerSet('lowest', '11')['@nestjs/core'];
  expect(version).toMatch(/^11\./);
  if (which === 'lowest') expect(version).toBe(lowest);
  else expect(version).not.toBe(lowest);
});
