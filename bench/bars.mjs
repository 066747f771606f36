// What the library has to reach, as ratios of medians in one run.

const of = ({ cells }, cell, contender, key) => cells[cell]?.[contender]?.[key]?.median;

const ratio = (cell, ours, theirs, key = 'rate') => {
  return (results) => of(results, cell, ours, key) / of(results, cell, theirs, key);
};

const rate = (what, bar, cell, ours, theirs) => ({ what, bar, measured: ratio(cell, ours, theirs) });
const cpu = (what, bar, cell, ours, theirs) => ({ what, bar, measured: ratio(cell, ours, theirs, 'cpu') });
const start = (what, bar, ours, theirs, key) => ({
  what,
  bar,
  measured: ({ starts }) => starts?.[ours]?.[key].median / starts?.[theirs]?.[key].median,
});

export const bars = [
  rate('without Nest to raw, 1 in flight', '≥ 0.9', 'call 100 B x1', 'core', 'raw'),
  rate('without Nest to raw, 16', '≥ 0.95', 'call 100 B x16', 'core', 'raw'),
  rate('without Nest to raw, 128', '≥ 0.95', 'call 100 B x128', 'core', 'raw'),
  rate('without Nest to raw, 10 KiB, 16', '≥ 0.95', 'call 10 KiB x16', 'core', 'raw'),
  rate('without Nest to raw, 100 KiB, 16', '≥ 0.95', 'call 100 KiB x16', 'core', 'raw'),
  cpu('CPU without Nest to raw, 1 in flight', '≤ 1.15', 'call 100 B x1', 'core', 'raw'),
  cpu('CPU without Nest to raw, 16', '≤ 1.15', 'call 100 B x16', 'core', 'raw'),
  cpu('CPU without Nest to raw, 128', '≤ 1.15', 'call 100 B x128', 'core', 'raw'),
  {
    what: 'p50 without Nest to raw, 1 in flight',
    bar: '≤ 1.15',
    measured: ratio('call 100 B x1', 'core', 'raw', 'p50'),
  },
  rate('Nest to Nest RMQ, 100 B, 16', '≥ 1', 'call 100 B x16', 'nest', 'nest-rmq'),
  rate('Nest to Nest RMQ, 100 B, 128', '≥ 1', 'call 100 B x128', 'nest', 'nest-rmq'),
  rate('Nest to Nest RMQ, 1 KiB, 16', '≥ 1', 'call 1 KiB x16', 'nest', 'nest-rmq'),
  rate('Nest to Nest RMQ, 1 KiB, 128', '≥ 1', 'call 1 KiB x128', 'nest', 'nest-rmq'),
  rate('Nest to Nest RMQ, 10 KiB, 16', '≥ 0.85', 'call 10 KiB x16', 'nest', 'nest-rmq'),
  rate('Nest to Nest RMQ, 100 KiB, 16', '≥ 0.75', 'call 100 KiB x16', 'nest', 'nest-rmq'),
  {
    what: 'p50 of Nest to Nest RMQ, 1 in flight',
    bar: '≤ 1.1',
    measured: ratio('call 100 B x1', 'nest', 'nest-rmq', 'p50'),
  },
  cpu('CPU of Nest to Nest RMQ, 16', '≤ 1.1', 'call 100 B x16', 'nest', 'nest-rmq'),
  cpu('CPU of Nest to Nest RMQ, 128', '≤ 1.1', 'call 100 B x128', 'nest', 'nest-rmq'),
  rate('Nest to Python 18.3.1, 128', '≥ 12', 'call 100 B x128', 'nest', 'python-18'),
  rate('Nest to Python 14.0.3, 128', '≥ 12', 'call 100 B x128', 'nest', 'python-14'),
  rate('without Nest to Python 18.3.1, 128', '≥ 17', 'call 100 B x128', 'core', 'python-18'),
  rate('without Nest to Python 14.0.3, 128', '≥ 17', 'call 100 B x128', 'core', 'python-14'),
  cpu('CPU of Nest to Python 18.3.1, 128', '≤ 0.083', 'call 100 B x128', 'nest', 'python-18'),
  cpu('CPU without Nest to Python 18.3.1, 128', '≤ 0.05', 'call 100 B x128', 'core', 'python-18'),
  {
    what: "CPU of our server to Python's, both called by Python 18.3.1, 16",
    bar: '≤ 0.33',
    measured: ({ cells }) =>
      cells['call 100 B x16']?.['python-18>core']?.server.median /
      cells['call 100 B x16']?.['python-18']?.server.median,
  },
  rate('notifications to golevelup, 1 in flight', '≥ 1', 'notify 1 KiB x1', 'core', 'golevelup'),
  rate('notifications to golevelup, 128', '≥ 1', 'notify 1 KiB x128', 'core', 'golevelup'),
  rate('notifications to raw, 128', '≥ 0.95', 'notify 1 KiB x128', 'core', 'raw'),
  rate('notifications to Python 18.3.1, 128', '≥ 8', 'notify 1 KiB x128', 'core', 'python-18'),
  rate('listening to golevelup', '≥ 1.15', 'listen 1 KiB', 'core', 'golevelup'),
  rate('listening to Python 18.3.1', '≥ 8', 'listen 1 KiB', 'core', 'python-18'),
  start('start of Nest to Nest RMQ', '≤ 1.05', 'nest', 'nest-rmq', 'ms'),
  start('idle memory of Nest to Nest RMQ', '≤ 1.05', 'nest', 'nest-rmq', 'memory'),
  start('start without Nest to raw', '≤ 1.3', 'core', 'raw', 'ms'),
  start('idle memory without Nest to raw', '≤ 1.3', 'core', 'raw', 'memory'),
];
