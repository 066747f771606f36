import { describe, expect, it } from 'vitest';
import { searchVersions } from '../../../lib/observe/bus/version-probe.js';
import { isVersionCompatible } from '../../../lib/wire/rpc/api-version.js';

/** A server as Python's dispatcher answers, and what it was asked. */
function serverOf(...implemented: string[]) {
  const asked: string[] = [];
  const ask = (version: string): Promise<boolean> => {
    asked.push(version);
    return Promise.resolve(implemented.some((one) => isVersionCompatible(version, one)));
  };
  return { ask, asked };
}

const MOST = 20;

describe('the versions of a server', () => {
  it.each([
    ['1.0', ['1.0']],
    ['1.1', ['1.1']],
    ['3.12', ['3.12']],
    ['1.64', ['1.64']],
    ['1.63', ['1.63']],
    ['10.7', ['10.7']],
  ])('%s is found, without a hint', async (implemented, served) => {
    const { ask, asked } = serverOf(implemented);
    const found = await searchVersions(ask, { mostRefused: MOST });
    expect(found).toMatchObject({ served, state: 'complete', calls: asked.length });
    expect(new Set(asked).size).toBe(asked.length);
  });

  it('cinder-scheduler’s 3.12 takes a dozen questions, and three with the right hint', async () => {
    const { ask } = serverOf('3.12');
    expect(await searchVersions(ask, { mostRefused: MOST })).toMatchObject({ calls: 12, refused: 6 });
    const asked = await searchVersions(ask, { from: '3.12', mostRefused: MOST });
    expect(asked).toEqual({ served: ['3.12'], calls: 3, refused: 2, state: 'complete' });
  });

  it.each([
    ['of an older server', '3.40', '3.12'],
    ['of a newer server', '3.2', '3.12'],
    ['of another major, lower', '5.7', '3.12'],
    ['of another major, higher', '2.9', '3.12'],
    ['of no such major', '99999999999999999999.1', '3.12'],
    ['with a revision', '3.12.1', '3.12'],
  ])('a hint %s leads there as well', async (_what, from, implemented) => {
    const found = await searchVersions(serverOf(implemented).ask, { from, mostRefused: MOST });
    expect(found).toMatchObject({ served: [implemented], state: 'complete' });
  });

  it('a server that is one behind takes four questions', async () => {
    const { ask, asked } = serverOf('3.11');
    expect(await searchVersions(ask, { from: '3.12', mostRefused: MOST })).toMatchObject({ served: ['3.11'] });
    expect(asked).toEqual(['3.12', '3.0', '3.11', '4.0']);
  });

  it('the nearest major is asked first: callers are mostly one ahead', async () => {
    const { ask, asked } = serverOf('5.13');
    await searchVersions(ask, { from: '6.0', mostRefused: MOST });
    expect(asked.slice(0, 2)).toEqual(['6.0', '5.0']);
  });

  it('several majors are told, the highest first', async () => {
    const found = await searchVersions(serverOf('5.13', '6.3').ask, { mostRefused: MOST });
    expect(found).toMatchObject({ served: ['6.3', '5.13'], state: 'complete' });
  });

  it('nothing that is served is found nowhere', async () => {
    expect(await searchVersions(serverOf().ask, { mostRefused: MOST })).toEqual({
      served: [],
      calls: 10,
      refused: 10,
      state: 'complete',
    });
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'never causes more refusals than the %i allowed, and says that there may be more',
    async (n) => {
      const found = await searchVersions(serverOf('3.12').ask, { mostRefused: n });
      expect(found.refused).toBe(n);
      expect(found.state).toBe('bounded');
    },
  );

  it('a server that refuses nothing is not asked for ever', async () => {
    const asked: string[] = [];
    const found = await searchVersions(
      (version) => {
        asked.push(version);
        return Promise.resolve(true);
      },
      { mostRefused: MOST },
    );
    expect(found.state).toBe('bounded');
    expect(asked.length).toBeLessThan(200);
  });

  it('an interruption ends the questions', async () => {
    const interruption = new AbortController();
    const { ask, asked } = serverOf('3.12');
    const found = await searchVersions(
      (version) => {
        if (version === '3.0') interruption.abort();
        return ask(version);
      },
      { mostRefused: MOST, signal: interruption.signal },
    );
    expect(found).toMatchObject({ served: ['3.0'], state: 'bounded' });
    expect(asked.at(-1)).toBe('3.0');
  });

  it('no answer is no refusal', async () => {
    const silence = new Error('silence');
    await expect(searchVersions(() => Promise.reject(silence), { mostRefused: MOST })).rejects.toBe(silence);
  });
});
