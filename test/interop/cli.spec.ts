import { describe, expect, it, beforeAll } from 'vitest';
import { oslo } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { useVhost } from '../support/rabbit.js';
import { pythonVersions, usePythonPeer } from './support/python-peer.js';

describe.each(pythonVersions)('oslo-bus with oslo.messaging %s', (pythonVersion) => {
  const vhost = useVhost({ mayLeave: /^reply_/ });
  const python = usePythonPeer({ version: pythonVersion, url: () => vhost.url });
  const run = (commandLine: string) => oslo(commandLine, { env: { OSLO_TRANSPORT_URL: `${vhost.url}` } });

  describe('versions', () => {
    beforeAll(async () => {
      const target = { exchange: 'nova', topic: 'conductor', server: 'host1' };
      await python.serve({ name: 'one', target, offered: ['plain', 'base', 'base-two', 'renamed'] });
    });

    it('finds those that its endpoints declare, in each namespace', async () => {
      const { code, documents } = await run(
        'versions conductor.host1 --exchange nova --namespace baseapi --namespace renamed --namespace formerly --yes --json',
      );
      expect(code).toBe(0);
      expect(documents.map(({ target, served }) => [(target as { namespace: string }).namespace, served])).toEqual([
        ['baseapi', ['2.3', '1.1']],
        ['renamed', ['1.0']],
        ['formerly', ['1.0']],
      ]);
      expect(python.requests('one')).toEqual([]);
    });

    it('leaves as many errors in its log as it has told', async () => {
      const errors = () => python.log.match(/^ERROR:/gm)?.length ?? 0;
      const before = errors();
      const { documents } = await run('versions conductor --exchange nova --yes --json');
      expect(documents[0]).toMatchObject({ served: ['1.0'], refused: 2 });
      await eventually(() => errors() === before + 2, 'two errors in its log');
    });

    it('why names the highest instead', async () => {
      const { code, out } = await run('why conductor --exchange nova --namespace baseapi --version 3.0');
      expect(code).toBe(1);
      expect(out).toContain('version 3.0 is not served by whoever has answered; the highest it serves: 2.3');
    });
  });
});
