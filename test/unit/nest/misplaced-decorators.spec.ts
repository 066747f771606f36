import { describe, expect, it } from 'vitest';
import { ExpectedExceptions, OnNotification, OsloEndpoint, OsloMethod } from '../../../lib/index.js';

type Decorator = (...place: unknown[]) => never;

/** Types refuse most of these; plain JavaScript, and a cast, do not. */
const loose = (decorator: unknown) => decorator as Decorator;

const ofMethods = [
  ['@OsloMethod()', loose(OsloMethod()), loose(OsloMethod)],
  ['@ExpectedExceptions()', loose(ExpectedExceptions(RangeError)), loose(ExpectedExceptions)],
  ['@OnNotification()', loose(OnNotification('info')), loose(OnNotification)],
] as const;

function failure(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    return error;
  }
}

const refused = (text: string) => ({ name: 'ConfigurationError', message: expect.stringContaining(text) });

describe.each(ofMethods)('%s', (name, decorator, bare) => {
  it.each<[string, () => unknown, string]>([
    [
      'a property',
      () => {
        class Host {
          @decorator size = 1;
        }
        return Host;
      },
      'Host.size is a property or an accessor: write size() { … } as a method',
    ],
    [
      'an accessor',
      () => {
        class Host {
          @decorator get size() {
            return 1;
          }
        }
        return Host;
      },
      'Host.size is a property or an accessor',
    ],
    [
      'a static method',
      () => {
        class Host {
          @decorator static ping() {}
        }
        return Host;
      },
      'Host.ping is static: make it a method of the instance',
    ],
    [
      'a parameter',
      () => {
        class Host {
          ping(@decorator arg: string) {
            return arg;
          }
        }
        return Host;
      },
      'it stands on a parameter of Host.ping: put it on the method',
    ],
    [
      'a class',
      () => {
        @decorator
        class Host {}
        return Host;
      },
      'it stands on Host: put it on one of its methods',
    ],
    [
      'a method whose name is a symbol',
      () => {
        class Host {
          @decorator [Symbol.iterator]() {}
        }
        return Host;
      },
      'is a symbol',
    ],
  ])('on %s says so', (_place, make, text) => {
    expect(failure(make)).toMatchObject(refused(`${name} is in the wrong place: `));
    expect(failure(make)).toMatchObject(refused(text));
  });

  it('without its parentheses says so', () => {
    const make = () => {
      class Host {
        @bare ping() {}
      }
      return Host;
    };
    expect(failure(make)).toMatchObject(refused('it lacks its parentheses at Host.ping: write @'));
  });

  it('compiled as the newer kind of decorators says so', () => {
    const context = { kind: 'method', name: 'ping', static: false };
    expect(failure(() => decorator(() => undefined, context))).toMatchObject(refused('experimentalDecorators'));
  });
});

describe('@OsloEndpoint()', () => {
  const decorator = loose(OsloEndpoint());
  const bare = loose(OsloEndpoint);

  it.each<[string, () => unknown, string]>([
    [
      'on a method',
      () => {
        class Host {
          @decorator ping() {}
        }
        return Host;
      },
      'it stands on Host.ping: put it on the class',
    ],
    [
      'on a static method',
      () => {
        class Host {
          @decorator static ping() {}
        }
        return Host;
      },
      'it stands on Host.ping: put it on the class',
    ],
    [
      'on a property',
      () => {
        class Host {
          @decorator size = 1;
        }
        return Host;
      },
      'it stands on Host.size: put it on the class',
    ],
    [
      'on a parameter of the constructor',
      () => {
        class Host {
          constructor(@decorator readonly size: number) {}
        }
        return Host;
      },
      'it stands on a parameter of Host: put it on the class',
    ],
    [
      'on a class without its parentheses',
      () => {
        @bare
        class Host {}
        return Host;
      },
      'it lacks its parentheses at Host: write @OsloEndpoint()',
    ],
    [
      'on a method without its parentheses',
      () => {
        class Host {
          @bare ping() {}
        }
        return Host;
      },
      'it lacks its parentheses at Host.ping: write @OsloEndpoint()',
    ],
    [
      'as the newer kind of decorators',
      () => decorator(class Host {}, { kind: 'class', name: 'Host' }),
      'experimentalDecorators',
    ],
  ])('%s says so', (_place, make, text) => {
    expect(failure(make)).toMatchObject(refused(text));
  });
});
