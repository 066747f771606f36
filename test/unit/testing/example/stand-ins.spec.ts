import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  getNotifierToken,
  getOsloClientToken,
  InjectNotifier,
  InjectOsloClient,
  Notifier,
  OsloClient,
} from 'nestjs-oslo-messaging';
import { expect, it, vi } from 'vitest';

interface ComputeApi {
  free_memory(): number;
}

@Injectable()
class Placement {
  constructor(
    @InjectOsloClient('COMPUTE') private readonly compute: OsloClient<ComputeApi>,
    @InjectNotifier('AUDIT') private readonly audit: Notifier,
  ) {}

  async fits(memory: number) {
    const fits = (await this.compute.call('free_memory')) >= memory;
    await this.audit.info('placement.asked', { memory, fits });
    return fits;
  }
}

it('asks compute, and tells the auditors', async () => {
  const compute = { call: vi.fn<() => Promise<number>>(() => Promise.resolve(4096)) };
  const audit = { info: vi.fn<() => Promise<void>>(() => Promise.resolve()) };
  const module = await Test.createTestingModule({
    providers: [
      Placement,
      { provide: getOsloClientToken('COMPUTE'), useValue: compute },
      { provide: getNotifierToken('AUDIT'), useValue: audit },
    ],
  }).compile();
  expect(await module.get(Placement).fits(512)).toBe(true);
  expect(compute.call).toHaveBeenCalledWith('free_memory');
  expect(audit.info).toHaveBeenCalledWith('placement.asked', { memory: 512, fits: true });
});
