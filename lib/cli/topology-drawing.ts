import { counted } from '../errors/counted.js';
import type { BusTopology, TopologyExchange, TopologyQueue } from '../observe/bus/bus-topology.js';
import { printable } from '../wire/redaction.js';
import { tonedColumns } from './output.js';
import type { Line, TonedEnd } from './tone.js';

export const TOPOLOGY_FORMATS = ['text', 'dot', 'mermaid', 'json'] as const;

type Drawing<OneLine extends Line> = (topology: BusTopology) => OneLine[];

/** A tree for a terminal. */
const text: Drawing<Line> = ({ exchanges, unbound }) => [
  ...exchanges.flatMap((exchange) => [exchangeLine(exchange), ...branches(exchange.queues)]),
  ...(unbound.length > 0 ? ['default exchange  direct, by the names of queues', ...branches(unbound)] : []),
];

function exchangeLine({ name, type, durable, isOrphan }: TopologyExchange): Line {
  const before = `exchange ${name}  ${type}${durable ? ', durable' : ''}`;
  return isOrphan ? { before: `${before}  `, ...orphan('no queue is bound to it') } : before;
}

function orphan(why: string): TonedEnd {
  return { word: 'ORPHAN', tone: 'doubtful', after: `: ${why}` };
}

function branches(queues: readonly TopologyQueue[]): Line[] {
  const rows = queues.map((queue, at) => [
    `${at === queues.length - 1 ? '└' : '├'} ${queue.name}`,
    queue.kind,
    // A key that is the name tells nothing.
    queue.keys.some((key) => key !== queue.name) ? `by ${queue.keys.join(' ')}` : '',
    waiting(queue),
    queue.isOrphan ? orphan('nobody consumes it') : consumersOf(queue),
  ]);
  return tonedColumns(rows);
}

function waiting({ messages }: TopologyQueue): string {
  return messages === null ? 'not known yet' : `${messages} waiting`;
}

function consumersOf({ consumers, consumedBy }: TopologyQueue): string {
  if (consumers === null) return 'not known yet';
  const count = counted(consumers, 'consumer');
  return consumedBy.length === 0 ? count : `${count}: ${consumedBy.join(', ')}`;
}

// ---- graphs -----------------------------------------------------------------------------------------

/** Exchanges, queues and programs, and what leads where. */
interface Graph {
  readonly nodes: readonly {
    readonly id: string;
    readonly label: string;
    readonly shape: Shape;
    readonly isOrphan: boolean;
  }[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly label: string }[];
}
type Shape = 'exchange' | 'program' | 'queue';

function graphOf({ exchanges, unbound }: BusTopology): Graph {
  const nodes = new Map<string, Graph['nodes'][number]>();
  const edges: Graph['edges'][number][] = [];
  const ids = new Map<string, string>();
  const node = (shape: Shape, name: string, label: string, isOrphan = false): string => {
    const key = `${shape} ${name}`;
    const id = ids.get(key) ?? `n${ids.size}`;
    ids.set(key, id);
    if (!nodes.has(id)) nodes.set(id, { id, label, shape, isOrphan });
    return id;
  };
  const queueNode = (queue: TopologyQueue): string => {
    const isNew = !ids.has(`queue ${queue.name}`);
    const id = node('queue', queue.name, `${queue.name}, ${waiting(queue)}`, queue.isOrphan);
    for (const program of isNew ? queue.consumedBy : []) {
      edges.push({ from: id, to: node('program', program, program), label: '' });
    }
    return id;
  };
  const exchangeNodes = (exchange: TopologyExchange): void => {
    const from = node('exchange', exchange.name, `${exchange.name} (${exchange.type})`, exchange.isOrphan);
    for (const queue of exchange.queues) edges.push({ from, to: queueNode(queue), label: queue.keys.join(' ') });
  };
  for (const exchange of exchanges) exchangeNodes(exchange);
  for (const queue of unbound) queueNode(queue);
  return { nodes: [...nodes.values()], edges };
}

function dotText(label: string): string {
  return `"${printable(label).replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Characters with a meaning to Mermaid are written as numbers. */
function mermaidText(label: string): string {
  return `"${printable(label).replaceAll(/[^\w .,:()/-]/g, (character) => `#${character.codePointAt(0)};`)}"`;
}

/** For Graphviz. */
const dot: Drawing<string> = (topology) => {
  const { nodes, edges } = graphOf(topology);
  const shapes = { exchange: 'hexagon', program: 'ellipse', queue: 'box' };
  return [
    'digraph bus {',
    '  rankdir=LR;',
    ...nodes.map(
      ({ id, label, shape, isOrphan }) =>
        `  ${id} [shape=${shapes[shape]} label=${dotText(label)}${isOrphan ? ' color=red style=dashed' : ''}];`,
    ),
    ...edges.map(({ from, to, label }) => `  ${from} -> ${to}${label === '' ? '' : ` [label=${dotText(label)}]`};`),
    '}',
  ];
};

/** For Markdown pages. */
const mermaid: Drawing<string> = (topology) => {
  const { nodes, edges } = graphOf(topology);
  const around = { exchange: ['{{', '}}'], program: ['([', '])'], queue: ['[', ']'] } as const;
  const orphans = nodes.filter(({ isOrphan }) => isOrphan).map(({ id }) => id);
  return [
    'flowchart LR',
    ...nodes.map(({ id, label, shape }) => `  ${id}${around[shape][0]}${mermaidText(label)}${around[shape][1]}`),
    ...edges.map(({ from, to, label }) => `  ${from} -->${label === '' ? '' : `|${mermaidText(label)}|`} ${to}`),
    '  classDef orphan stroke:#c00,stroke-dasharray:4',
    ...(orphans.length > 0 ? [`  class ${orphans.join(',')} orphan`] : []),
  ];
};

export const TOPOLOGY_DRAWINGS = { text, dot, mermaid } satisfies Readonly<
  Record<Exclude<(typeof TOPOLOGY_FORMATS)[number], 'json'>, Drawing<Line>>
>;
