// Many calls that wait at once: what one of them costs, however many there are.
import { end, start } from './party.mjs';

const slots = '200000';

export async function pendingCalls(names, url) {
  const results = {};
  for (const name of names.filter((one) => /^core(-before)?$/.test(one))) {
    const party = await start(name, url, { OSLO_BENCH_SLOTS: slots });
    await party.client.ask('pending', { count: 10_000 });
    for (const count of [100, 10_000, 100_000]) {
      const { issuedMs, answeredMs, bytes } = await party.client.ask('pending', { count });
      results[`${name}, ${count} pending`] = {
        'µs to issue one': Number(((issuedMs / count) * 1e3).toFixed(1)),
        'µs to answer one': Number(((answeredMs / count) * 1e3).toFixed(1)),
        'bytes each': Math.round(bytes),
      };
    }
    end(party);
  }
  console.log('\nCalls that wait at once');
  console.table(results);
  return results;
}
