import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { askOn, confirm } from '../../../lib/cli/confirm.js';
import { Output, type Terminal } from '../../../lib/cli/output.js';

describe('a question on the terminal', () => {
  function asked() {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const interruption = new AbortController();
    return { input, output, interruption, ask: askOn(input, output, interruption.signal) };
  }

  it('is answered by one line; what is typed behind it stays', async () => {
    const { ask, input, output } = asked();
    const answer = ask('Go on? ');
    expect(output.read()?.toString()).toBe('Go on? ');
    input.write('yes\n');
    expect(await answer).toBe('yes');
    const next = ask('Again? ');
    input.write('no\n');
    expect(await next).toBe('no');
  });

  it('has no answer at the end of input, or when it is interrupted', async () => {
    const ended = asked();
    ended.input.end();
    expect(await ended.ask('?')).toBe('');
    const interrupted = asked();
    const answer = interrupted.ask('?');
    interrupted.interruption.abort();
    expect(await answer).toBe('');
  });
});

describe('a confirmation', () => {
  function confirmed(answer?: string) {
    const written: string[] = [];
    const terminal: Terminal = {
      out: () => undefined,
      err: (text) => void written.push(text),
      isTerminal: true,
      ...(answer !== undefined && { ask: () => Promise.resolve(answer) }),
      env: {},
      interrupted: new AbortController().signal,
    };
    const about = { about: 'this deletes auth_token=abc', option: '--yes' };
    return { done: confirm(terminal, new Output(terminal, 'x', false), about), written };
  }

  it.each(['y', 'Y', 'yes', ' yes '])('%j goes on, and secrets of the question are masked', async (answer) => {
    const { done, written } = confirmed(answer);
    await done;
    expect(written.join('')).toBe('this deletes auth_token=***\n');
  });

  it.each(['', 'n', 'no', 'yesterday'])('%j does not', async (answer) => {
    await expect(confirmed(answer).done).rejects.toMatchObject({ exitCode: 130 });
  });

  it('without a terminal is wrong usage', async () => {
    await expect(confirmed().done).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining('--yes'),
    });
  });
});
