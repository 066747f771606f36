import { expect, it } from 'vitest';
import { oslo } from '../../support/command-line.js';

const long = 'x'.repeat(256);

it.each([
  [['why', ''], 'topic[.server] is empty'],
  [['why', 'conductor', '--version', 'x'], "'x' is no version like 3.12"],
  [['ping', 'conductor', '--version', '1'], "'1' is no version like 3.12"],
  [['call', 'conductor', ''], 'method is empty'],
  [['tap', '--topic', ''], 'topic is empty'],
  [['top', '--exchange', 'nova', '--exchange', ''], 'exchange is empty'],
  [['trace', ''], 'request-id is empty'],
  [['notify', ''], 'event-type is empty'],
  [['listen', '--pool', ''], 'pool is empty'],
  [['versions', 'conductor', ''], 'topics[.server] is empty'],
  [['call', long, 'ping'], 'topic[.server] has 256 bytes'],
  [['fanout', 'conductor', 'ping', '--exchange', 'ü'.repeat(128)], 'exchange has 256 bytes'],
])('%j is wrong usage, and asks no bus', async (args, text) => {
  expect(await oslo(args)).toMatchObject({ code: 64, out: '', err: expect.stringContaining(text) });
});
