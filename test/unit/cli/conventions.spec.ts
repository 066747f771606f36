import { expect, it } from 'vitest';
import { pingedInterface } from '../../../lib/cli/bus/conventions.js';

const conductor = { exchange: 'nova', topic: 'conductor' };

it('a ping asks for what servers of a known topic serve, so that it leaves no line in their logs', () => {
  expect(pingedInterface(conductor, {})).toEqual({ namespace: 'baseapi', version: '1.0' });
  expect(pingedInterface({ exchange: 'cinder', topic: 'cinder-scheduler' }, {})).toEqual({
    namespace: null,
    version: '3.0',
  });
  expect(pingedInterface({ exchange: 'nova', topic: 'mine' }, {})).toEqual({ namespace: null, version: null });
});

it('whoever names an interface means that one', () => {
  expect(pingedInterface(conductor, { version: '3.0' })).toEqual({ namespace: null, version: '3.0' });
  expect(pingedInterface(conductor, { namespace: 'compute_task' })).toEqual({
    namespace: 'compute_task',
    version: null,
  });
});
