// Tables for people.

const rounded = (value) => (value === undefined ? '' : value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** Ratios are to `raw`, and to the contender that a bar names. */
export function printCell(name, about, byContender) {
  console.log(`\n${name}: ${about}`);
  const of = (contender, key) => byContender[contender]?.[key]?.median;
  console.table(
    Object.fromEntries(
      Object.entries(byContender).map(([contender, { rate, p50, cpu, client, server, broker }]) => [
        contender,
        {
          'a second': rounded(rate.median),
          'min–max': `${rounded(rate.min)}–${rounded(rate.max)}`,
          'to raw': ratio(rate.median, of('raw', 'rate')),
          'to nest-rmq': ratio(rate.median, of('nest-rmq', 'rate')),
          'to golevelup': ratio(rate.median, of('golevelup', 'rate')),
          'p50 ms': rounded(p50?.median),
          'µs client + server': `${rounded(client.median)} + ${rounded(server.median)}`,
          'CPU to raw': ratio(cpu.median, of('raw', 'cpu')),
          'CPU to nest-rmq': ratio(cpu.median, of('nest-rmq', 'cpu')),
          'µs broker': rounded(broker?.median),
        },
      ]),
    ),
  );
}

export function printStarts(starts) {
  console.log('\nFrom the start of the server to its first answer, and its memory a second later');
  console.table(
    Object.fromEntries(
      Object.entries(starts).map(([name, { ms, memory }]) => [
        name,
        {
          ms: Math.round(ms.median),
          'min–max': `${Math.round(ms.min)}–${Math.round(ms.max)}`,
          MiB: Math.round(memory.median),
          'ms to nest-rmq': ratio(ms.median, starts['nest-rmq']?.ms.median),
          'ms to raw': ratio(ms.median, starts.raw?.ms.median),
          'MiB to nest-rmq': ratio(memory.median, starts['nest-rmq']?.memory.median),
          'MiB to raw': ratio(memory.median, starts.raw?.memory.median),
        },
      ]),
    ),
  );
}

function ratio(ours, theirs) {
  return theirs === undefined ? '' : (ours / theirs).toFixed(2);
}
