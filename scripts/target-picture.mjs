// Draws docs/pictures/target.svg: how a target becomes an exchange, a routing key and queues. `node scripts/target-picture.mjs`
import { writeFileSync } from 'node:fs';

const file = 'docs/pictures/target.svg';
const [width, rowHeight, top] = [996, 62, 56];
const columns = { send: [12, 252], exchange: [344, 150], queue: [614, 190], receiver: [850, 134] };
const control = { name: 'nova', about: 'the exchange', rows: 3 };

/** One way of a message in each row: what is sent, by which exchange and key, to which queue, and who takes it. */
const rows = [
  {
    send: ["call('resize')", "cast('resize')"],
    exchange: control,
    key: 'conductor',
    queue: 'conductor',
    receiver: 'host1 or host2',
  },
  {
    send: ["prepare({ server: 'host1' })", "  .call('resize')"],
    key: 'conductor.host1',
    queue: 'conductor.host1',
    receiver: 'host1',
  },
  {
    send: ["notifier.info('compute.end')"],
    key: 'notifications.info',
    queue: 'notifications.info',
    receiver: 'a listener',
  },
  {
    send: ["fanout('reload')"],
    exchange: { name: 'conductor_fanout', about: 'a fanout exchange', rows: 2 },
    key: '',
    queue: 'conductor_fanout_3f…',
    receiver: 'host1',
  },
  { key: '', queue: 'conductor_fanout_a8…', receiver: 'host2' },
  {
    send: ['the answer to a call'],
    exchange: { name: '(default)', about: "the broker's own", rows: 1 },
    key: 'reply_51…',
    queue: 'reply_51…',
    receiver: 'the caller',
  },
];
const heads = { send: 'what is sent', exchange: 'exchange', queue: 'queue', receiver: 'who takes it' };

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x, y, kind, words) => `<text x="${x}" y="${y}" class="${kind}">${escaped(words)}</text>`;
const box = (x, y, w, h, kind) => `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="6" class="${kind}"/>`;
const arrow = (x1, y1, x2, y2) =>
  `<path d="M${x1} ${y1} H${x2 - 7}" class="line"/><path d="M${x2 - 8} ${y2 - 4} l8 4 l-8 4 z" class="tip"/>`;
const middle = (row) => top + row * rowHeight + rowHeight / 2;

function labelled(column, row, lines, kind, span = 1) {
  const [x, w] = columns[column];
  const h = span * rowHeight - 14;
  const begin = middle(row) + ((span - 1) * rowHeight) / 2 - ((lines.length - 1) * 17) / 2 + 5;
  const words = lines.map((line, n) =>
    text(
      x + (column === 'send' ? 10 : w / 2),
      begin + n * 17,
      column === 'send' ? 'code' : n ? 'small mid' : 'code mid',
      line,
    ),
  );
  return box(x, top + row * rowHeight + 7, w, h, kind) + words.join('');
}

function drawn({ send, exchange, key, queue, receiver }, row) {
  const [sendX, sendW] = columns.send;
  const [exchangeX, exchangeW] = columns.exchange;
  const [queueX, queueW] = columns.queue;
  const y = middle(row);
  return [
    send && labelled('send', row, send, 'send'),
    exchange && labelled('exchange', row, [exchange.name, exchange.about], 'exchange', exchange.rows),
    send && arrow(sendX + sendW, y, exchangeX, y),
    arrow(exchangeX + exchangeW, y, queueX, y),
    key && text((exchangeX + exchangeW + queueX) / 2, y - 7, 'small mid', key),
    labelled('queue', row, [queue], 'queue'),
    arrow(queueX + queueW, y, columns.receiver[0], y),
    labelled('receiver', row, [receiver], 'receiver'),
  ];
}

const style = `
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328 }
  .small, .head, .note { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif }
  .small { font-size: 11px; fill: #59636e } .head { font-size: 13px; font-weight: 600 } .note { font-size: 13px }
  .mid { text-anchor: middle } .line { stroke: #59636e; fill: none; stroke-width: 1.4 } .tip { fill: #59636e }
  rect { stroke-width: 1.4 } .send { fill: #f6f8fa; stroke: #d1d9e0 } .exchange { fill: #fff1e5; stroke: #d9480f }
  .queue { fill: #ddf4ff; stroke: #0969da } .receiver { fill: #dafbe1; stroke: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .line { stroke: #9198a1 } .tip { fill: #9198a1 }
    .send { fill: #151b23; stroke: #3d444d } .exchange { fill: #3d2317; stroke: #f0883e }
    .queue { fill: #0f2d4a; stroke: #4493f8 } .receiver { fill: #12351f; stroke: #3fb950 }
  }`;
const height = top + rows.length * rowHeight + 44;
const columnHeads = Object.entries(heads).map(([column, words]) => {
  const [x, w] = columns[column];
  return text(x + w / 2, 26, 'head mid', words);
});
const bindingHead = text((columns.exchange[0] + columns.exchange[1] + columns.queue[0]) / 2, 26, 'head mid', 'binding');
const target = text(columns.send[0], 46, 'small', "target: exchange 'nova', topic 'conductor'");
const note = text(
  columns.send[0],
  height - 14,
  'note',
  'Method, namespace, version, arguments and request context travel in the message. The server chooses the method by them.',
);
const title = 'How a target becomes an exchange, a binding and a queue';
const parts = [
  `<title>${title}</title>`,
  `<style>${style}\n</style>`,
  ...columnHeads,
  bindingHead,
  target,
  ...rows.flatMap(drawn),
  note,
];
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">\n${parts.filter(Boolean).join('\n')}\n</svg>\n`,
);
