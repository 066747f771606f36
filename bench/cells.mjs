// What is measured. `one` is the operation of bench/agent.mjs; the numbers of each cell are compared between contenders.
const KiB = 1_024;
const sizes = { '100 B': 100, '1 KiB': KiB, '10 KiB': 10 * KiB, '100 KiB': 100 * KiB };

const calls = Object.entries(sizes).flatMap(([label, bytes]) =>
  [1, 16, 128].map((inFlight) => [
    `call ${label} x${inFlight}`,
    { operation: 'call', bytes, inFlight, about: `${label} echoed, ${inFlight} in flight` },
  ]),
);

const callers = (name) => !name.includes('nothing');
const notifiers = (name) => !/rmq|direct|>/.test(name);

/** Cells by name; `takesPart` says whose they are. */
export const cells = {
  ...Object.fromEntries(calls.map(([name, cell]) => [name, { ...cell, takesPart: callers }])),
  'cast 100 B x16': {
    operation: 'cast',
    bytes: 100,
    inFlight: 16,
    about: 'a cast of 100 B, awaited until it is sent, 16 in flight',
    takesPart: callers,
  },
  'notify 1 KiB x1': {
    operation: 'notify',
    bytes: KiB,
    inFlight: 1,
    about: 'a notification of 1 KiB, confirmed, one after the other',
    takesPart: notifiers,
  },
  'notify 1 KiB x128': {
    operation: 'notify',
    bytes: KiB,
    inFlight: 128,
    about: 'a notification of 1 KiB, confirmed, 128 in flight',
    takesPart: notifiers,
  },
  'listen 1 KiB': {
    operation: 'listen',
    bytes: KiB,
    about: 'a listener that empties a queue of notifications of 1 KiB',
    takesPart: notifiers,
  },
};

export const smallCells = ['call 100 B x1', 'call 100 B x16', 'call 100 B x128', 'call 10 KiB x16'];
