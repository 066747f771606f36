import { Controller, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';

@Injectable()
class Clock {
  readonly zone = 'UTC';
}

@Controller()
class ClockController {
  constructor(readonly clock: Clock) {}
}

it('compiles decorators with the type metadata that injection by class needs', async () => {
  const module = await Test.createTestingModule({ controllers: [ClockController], providers: [Clock] }).compile();

  expect(module.get(ClockController).clock).toBe(module.get(Clock));
});
