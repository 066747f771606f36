// What takes long: a fanout to ten servers, and ten minutes of calls whose memory must not grow.
import { end, memoryOf, start } from './party.mjs';

export async function fanout(url) {
  const parties = [];
  for (let n = 0; n < 10; n += 1) parties.push(await start('core', url, { OSLO_BENCH_SERVER: `host${n}` }));
  const { done, seconds } = await parties[0].client.ask('fanout', { bytes: 100, inFlight: 16, ms: 5_000 });
  parties.forEach((party) => end(party));
  const result = { 'fanouts a second': Math.round(done / seconds), servers: parties.length };
  console.table([result]);
  return result;
}

export async function soak(url, minutes) {
  const party = await start('core', url);
  const heaps = [];
  for (let minute = 0; minute <= minutes; minute += 1) {
    const [client, server] = [await party.client.ask('heap'), await party.server.ask('heap')];
    heaps.push({
      minute,
      'client heap MiB': MiB(client.heap),
      'server heap MiB': MiB(server.heap),
      'client MiB': Math.round(memoryOf(party.client.pid)),
      'server MiB': Math.round(memoryOf(party.server.pid)),
    });
    console.log(JSON.stringify(heaps.at(-1)));
    if (minute < minutes) await party.client.ask('call', { bytes: 1_024, inFlight: 16, ms: 60_000 });
  }
  end(party);
  return heaps;
}

function MiB(bytes) {
  return Number((bytes / 2 ** 20).toFixed(2));
}
