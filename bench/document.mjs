// Tables and plots of docs/performance.md from the numbers of a run: `node bench/document.mjs [.cache/bench/results.json]`. What the run
// did not measure stays: `.cache/bench/long.json` gives the table of the soak.
import { readFileSync, writeFileSync } from 'node:fs';
import { bars } from './bars.mjs';
import { contenders } from './contenders.mjs';

const [file = '.cache/bench/results.json'] = process.argv.slice(2);
const results = JSON.parse(readFileSync(file, 'utf8'));
const page = 'docs/performance.md';

const number = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en').replaceAll(',', ' ') : value.toPrecision(3);

function row(cells) {
  return `| ${cells.join(' | ')} |`;
}

function table(head, rows) {
  return [row(head), row(head.map(() => '---')), ...rows.map((one) => row(one))].join('\n');
}

/** A second, lowest to highest, and CPU of both sides. */
function cellText(measured) {
  if (!measured) return '';
  const { rate, client, server } = measured;
  const cpu = server.median > 0 ? `${number(client.median)} + ${number(server.median)}` : number(client.median);
  return `${number(rate.median)} (${number(rate.min)}–${number(rate.max)}); ${cpu}`;
}

function cellsTable(names, labels) {
  const present = names.filter((name) => results.cells[name]);
  if (present.length === 0) return '';
  const taking = Object.keys(contenders).filter((name) => present.some((cell) => results.cells[cell][name]));
  const rows = taking.map((name) => [name, ...present.map((cell) => cellText(results.cells[cell][name]))]);
  return table(['', ...present.map((name) => labels[names.indexOf(name)])], rows);
}

function callTables() {
  return ['100 B', '1 KiB', '10 KiB', '100 KiB']
    .map((size) => {
      const names = [1, 16, 128].map((inFlight) => `call ${size} x${inFlight}`);
      const text = cellsTable(names, ['1 in flight', '16', '128']);
      return text && `**${size} echoed**\n\n${text}`;
    })
    .filter(Boolean)
    .join('\n\n');
}

function startsTable() {
  if (!results.starts) return '';
  const rows = Object.entries(results.starts).map(([name, { ms, memory }]) => [
    name,
    `${Math.round(ms.median)} (${Math.round(ms.min)}–${Math.round(ms.max)})`,
    String(Math.round(memory.median)),
  ]);
  return table(['', 'ms to the first answer', 'idle MiB'], rows);
}

function pendingTable() {
  if (!results.pending) return '';
  const rows = Object.entries(results.pending).map(([name, values]) => [name, ...Object.values(values).map(String)]);
  return table(['', ...Object.keys(Object.values(results.pending)[0])], rows);
}

function barsTable() {
  const rows = bars.flatMap(({ what, bar, measured }) => {
    const value = measured(results);
    if (value === undefined || Number.isNaN(value)) return [];
    const holds = bar.startsWith('≥') ? value >= Number(bar.slice(2)) : value <= Number(bar.slice(2));
    return [[what, bar, value.toFixed(2), holds ? 'yes' : 'no']];
  });
  return rows.length > 0 && table(['ratio of medians', 'bar', 'measured', 'holds'], rows);
}

function soakTable() {
  if (!results.soak) return '';
  return table(
    Object.keys(results.soak[0]),
    results.soak.map((minute) => Object.values(minute).map(String)),
  );
}

/** A soak tells of memory alone, which is the same on a slower machine. */
function machineText() {
  const { machine, rounds, ms, soak } = results;
  if (soak) return '';
  const { cpus, cpu, arch, memory, node } = machine;
  const measured = `${rounds} rounds of ${ms} ms for each contender in each cell`;
  return `${cpus} cores of ${cpu?.trim() || arch}, ${Math.round(memory / 2 ** 30)} GiB, Node ${node}; ${measured}`;
}

function plot(title, unit, values) {
  const [width, label, line] = [720, 130, 24];
  const most = Math.max(...values.map(([, value]) => value));
  const lines = values.map(([name, value], index) => {
    const y = 40 + index * line;
    const length = ((width - label - 110) * value) / most;
    const colour = /^(core|nest)$/.test(name) ? '#d9480f' : '#868e96';
    return [
      `<text x="${label - 8}" y="${y + 13}" text-anchor="end">${name.replace('>', '&gt;')}</text>`,
      `<rect x="${label}" y="${y}" width="${length.toFixed(1)}" height="17" fill="${colour}"/>`,
      `<text x="${(label + length + 6).toFixed(1)}" y="${y + 13}">${number(value)} ${unit}</text>`,
    ].join('');
  });
  const height = 50 + values.length * line;
  const style = 'font-family="sans-serif" font-size="13" fill="#495057"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${style}><rect width="100%" height="100%" fill="#fff"/><text x="8" y="22" font-size="15">${title}</text>${lines.join('')}</svg>\n`;
}

function writePlots() {
  const plots = {
    'calls-16': ['call 100 B x16', 'rate', 'calls a second, 100 B, 16 in flight', ''],
    'calls-128': ['call 100 B x128', 'rate', 'calls a second, 100 B, 128 in flight', ''],
    'cpu-128': ['call 100 B x128', 'cpu', 'CPU of client and server for one call, 128 in flight', 'µs'],
    notifications: ['notify 1 KiB x128', 'rate', 'notifications a second, 1 KiB, confirmed, 128 in flight', ''],
  };
  for (const [name, [cell, key, title, unit]] of Object.entries(plots)) {
    if (!results.cells[cell]) continue;
    const values = Object.entries(results.cells[cell]).map(([contender, measured]) => [
      contender,
      measured[key].median,
    ]);
    writeFileSync(`docs/performance/${name}.svg`, plot(title, unit, values));
  }
}

const parts = {
  machine: machineText(),
  contenders: table(
    ['', ''],
    Object.entries(contenders)
      .filter(([name]) => !name.endsWith('-before'))
      .map(([name, { about }]) => [name, about]),
  ),
  bars: barsTable(),
  calls: callTables(),
  casts: cellsTable(['cast 100 B x16'], ['16 in flight']),
  notifications: cellsTable(
    ['notify 1 KiB x1', 'notify 1 KiB x128', 'listen 1 KiB'],
    ['sent, 1 in flight', 'sent, 128', 'listened to'],
  ),
  starts: startsTable(),
  pending: pendingTable(),
  soak: soakTable(),
};

let text = readFileSync(page, 'utf8');
for (const [name, part] of Object.entries(parts)) {
  const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end of ${name} -->)`);
  if (part) text = text.replace(between, (_all, start, end) => `${start}\n${part}\n\n${end}`);
}
writeFileSync(page, text);
writePlots();
