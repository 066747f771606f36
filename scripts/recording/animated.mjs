// Lines of a terminal, each with the time when it was printed, as an SVG that plays them again and again.

const [columns, lineHeight, charWidth, margin] = [96, 20, 8.1, 16];
/** A pause is not played for longer. */
const LONGEST_PAUSE_MS = 1_800;
const SHORTEST_PAUSE_MS = 350;
const HELD_MS = 7_000;
const names = { nest: 'nest   | ', python: 'python | ', prompt: '$ ', comment: '' };

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Words of a line that is too long go on below it. */
function wrapped({ atMs, who, text }) {
  const indent = ' '.repeat(names[who].length);
  const rows = [''];
  for (const word of text.split(' ')) {
    if (rows.at(-1).length + word.length + indent.length >= columns) rows.push('');
    rows.push(`${rows.pop()}${rows.at(-1) === '' ? '' : ' '}${word}`.replace(/^ /, ''));
  }
  return rows.map((row, n) => ({ atMs, who, name: n ? indent : names[who], text: row }));
}

function played(lines) {
  let [at, before] = [400, lines[0].atMs];
  return lines.map((line) => {
    at += Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, line.atMs - before));
    before = line.atMs;
    return { ...line, atMs: at };
  });
}

export function animated(lines, title) {
  const rows = played(lines).flatMap(wrapped);
  const total = rows.at(-1).atMs + HELD_MS;
  const height = rows.length * lineHeight + margin * 2;
  const width = Math.ceil(columns * charWidth + margin * 2);
  const frames = rows.map(({ atMs }, n) => {
    const share = ((atMs / total) * 100).toFixed(2);
    return `@keyframes l${n} { 0%, ${share}% { opacity: 0 } ${(Number(share) + 0.01).toFixed(2)}%, 100% { opacity: 1 } }
.l${n} { animation: l${n} ${(total / 1_000).toFixed(2)}s linear infinite }`;
  });
  const texts = rows.map(({ who, name, text }, n) => {
    const y = margin + (n + 0.75) * lineHeight;
    return `<text class="l${n}" x="${margin}" y="${y}" xml:space="preserve"><tspan class="${who} name">${name}</tspan><tspan class="${who}">${escaped(text)}</tspan></text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escaped(title)}</title>
<style>
text { font: 13.5px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #e6edf3; white-space: pre }
.comment { fill: #d29922 } .prompt { fill: #e6edf3; font-weight: 600 } .name { fill: #9198a1 } .nest.name { fill: #ff7b72 } .python.name { fill: #79c0ff }
${frames.join('\n')}
@media (prefers-reduced-motion: reduce) { text { animation: none !important } }
</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117" stroke="#3d444d"/>
${texts.join('\n')}
</svg>
`;
}
